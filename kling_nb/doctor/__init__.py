"""The doctor: what there is, what does not work, and what to do about it. Pays nothing, and leaves nothing behind."""
