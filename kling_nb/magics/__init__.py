"""The magics room: what is typed after ``%kling`` and ``%%kling``, and what a shell is told of it."""
