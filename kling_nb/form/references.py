"""The six slots together: what fills them, in which order, and the looking at pictures beside the kernel."""

import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace

from kling_nb.engine.crew import Crew
from kling_nb.form import entries
from kling_nb.form.checking import SLOTS, SUBJECTS
from kling_nb.form.entries import Entry, Keep
from kling_nb.form.parts import Parts
from kling_nb.form.slots import Slot
from kling_nb.form.uploads import Upload
from kling_nb.notation.names import Namespace
from kling_nb.notation.writing import Source
from kling_nb.records import Role

_ROLES: tuple[Role, ...] = ("subject", "subject", "subject", "subject", "scene", "style")


class References:
    """The slots and what they hold.

    Pictures are opened and checked by a thread, so that the kernel goes on; it changes traits only.

    Parameters
    ----------
    parts : Parts
        Makes the widgets.
    namespace : callable
        Returns the notebook's variables.
    keep : callable
        Stores a file and returns its path as written.
    changed : callable
        Called after every change, in any thread.
    crew : Crew
        The thread.
    lock : RLock
        Of the form.
    """

    def __init__(
        self,
        parts: Parts,
        namespace: Callable[[], Namespace],
        keep: Keep,
        changed: Callable[[], None],
        crew: Crew,
        lock: threading.RLock,
    ) -> None:
        self._namespace = namespace
        self._keep = keep
        self._changed = changed
        self._crew = crew
        self._lock = lock
        self.slots = [Slot(parts, i, title, self, several=i < SUBJECTS) for i, title in enumerate(SLOTS)]
        self.entries: list[Entry | None] = [None] * len(SLOTS)
        self._turns = [0] * len(SLOTS)
        self._looking: set[int] = set()

    @property
    def busy(self) -> bool:
        """Whether a picture is being looked at."""
        return bool(self._looking)

    # ---- what a person does ------------------------------------------------------------------------

    def typed(self, index: int, text: str) -> None:
        """Fill a slot with what a text names; an empty one clears it."""
        if not text.strip():
            self.cleared(index)
            return
        self.fill(index, entries.look(text, self._namespace()))

    def uploaded(self, index: int, upload: Upload) -> None:
        """Fill a slot with a file from the browser; of several, the others go to the next free slots."""
        at = index if upload.number == 0 else self._free_from(index)
        role = _ROLES[index]
        if upload.count > 1 and role != "subject":
            self._put(index, Entry(Source(""), problem=f"{upload.count} files were given, and this slot takes one."))
            return
        if at is None:
            self._put(index, Entry(Source(""), problem=entries.too_many(upload.count, upload.number)))
            return
        namespace = self._namespace()
        self._work(at, lambda: entries.receive(upload, role, namespace, self._keep, fit=False))

    def cleared(self, index: int) -> None:
        """Empty a slot."""
        self._put(index, None)

    def dragged(self, name: object, to: int) -> None:
        """Exchange what two slots hold, the one named by its tile; a tile of another form does nothing."""
        for slot in self.slots:
            if slot.name == name:
                self.moved(slot.index, to)

    def moved(self, origin: int, to: int) -> None:
        """Exchange what two slots hold."""
        if not (0 <= origin < len(SLOTS) and 0 <= to < len(SLOTS)) or origin == to or {origin, to} & self._looking:
            return
        with self._lock:
            one, other = self.entries[origin], self.entries[to]
            self.entries[origin], self.entries[to] = _in_role(other, origin), _in_role(one, to)
            self._turns[origin] += 1
            self._turns[to] += 1
            self._show()
        self._changed()

    def cured(self, index: int) -> None:
        """Have a picture made to fit the API's limits."""
        entry = self.entries[index]
        if entry is not None:
            self.fill(index, replace(entry, fit=True, problem="", cure=""))

    def use(self, entry: Entry, role: Role) -> str:
        """Use a picture in a role: as the next subject that is free, or in place of scene or style.

        Returns
        -------
        str
            What was done, in words.
        """
        at = self._free_from(0) if role == "subject" else _ROLES.index(role)
        if at is None:
            return "All four subjects are taken: clear one first."
        instead = " in place of another picture" if self.entries[at] is not None else ""
        self.fill(at, entry)
        return f"It is {SLOTS[at]} now{instead}."

    # ---- from Python -------------------------------------------------------------------------------

    def fill(self, index: int, entry: Entry) -> None:
        """Fill a slot with an entry, whose picture is then looked at.

        Parameters
        ----------
        index : int
            Of the slot.
        entry : Entry
            With a value, or with a problem.
        """
        if entry.problem:
            self._put(index, entry)
            return
        namespace, role = self._namespace(), _ROLES[index]
        self._work(index, lambda: entries.read(entry, role, namespace, self._keep), shown=entry)

    def load(self, found: Iterable[tuple[Role, Entry]], roles: Collection[Role]) -> None:
        """Empty the slots of some roles, and fill these anew in order."""
        for index, role in enumerate(_ROLES):
            if role in roles:
                self._put(index, None, quiet=True)
        found = list(found)
        subjects = [entry for role, entry in found if role == "subject"]
        if subjects:
            # Together, because each may be several pictures, and the order counts.
            self._work(0, lambda: self._read_all(subjects), shown=subjects[0])
        for role, entry in found:
            if role != "subject":
                self.fill(_ROLES.index(role), entry)
        self._changed()

    def look_again(self, agreed: Sequence[Entry | None]) -> tuple[list[Entry | None], list[str]]:
        """Open everything anew, in the calling thread.

        What is shown is what the user agreed to pay for; a variable or a file may have changed since.

        Parameters
        ----------
        agreed : sequence of Entry or None
            Of the six slots, as they were shown.

        Returns
        -------
        entries : list of Entry or None
            As they are now.
        different : list of str
            The slots that hold something else than was agreed to; they show it now.
        """
        namespace = self._namespace()
        now = list(agreed)
        different = []
        for index, entry in enumerate(agreed):
            if entry is None or entry.reference is None:
                continue
            fresh = entries.look_again(entry, namespace)
            found = [fresh] if fresh.problem else entries.read(fresh, _ROLES[index], namespace, self._keep)
            sent = found[0].reference
            now[index] = found[0]
            if len(found) != 1 or sent is None or sent.sha256 != entry.reference.sha256:
                different.append(SLOTS[index])
                if self.entries[index] is entry:
                    self._put(index, found[0], quiet=True)
        return now, different

    def retry(self) -> None:
        """Look anew for what was not found or not right; it may be there now."""
        for index, entry in enumerate(list(self.entries)):
            if entry is not None and entry.problem and entry.source.text:
                self.typed(index, entry.source.text)
        self._changed()

    def offer(self, names: list[str]) -> None:
        """Offer variables in every slot."""
        for slot in self.slots:
            slot.offer(names)

    # ---- inside ------------------------------------------------------------------------------------

    def _read_all(self, subjects: list[Entry]) -> list[Entry]:
        namespace = self._namespace()
        return [each for entry in subjects for each in entries.read(entry, "subject", namespace, self._keep)]

    def _free_from(self, index: int) -> int | None:
        with self._lock:
            free = [i for i in range(SUBJECTS) if self.entries[i] is None and i not in self._looking]
        return next((i for i in free if i > index), None) if index else next(iter(free), None)

    def _work(self, index: int, work: Callable[[], list[Entry]], shown: Entry | None = None) -> None:
        with self._lock:
            self._turns[index] += 1
            turn = self._turns[index]
            self._looking.add(index)
            self.entries[index] = shown
            self._show()
        self._changed()

        def run() -> None:
            try:
                found = work()
            except Exception as error:  # noqa: BLE001 - shown beside the slot, where the user looks
                source = shown.source if shown else Source("")
                found = [Entry(source, problem=f"{type(error).__name__}: {error}")]
            with self._lock:
                # Filled anew meanwhile: this one is not wanted any more.
                if self._turns[index] != turn:
                    return
                self._looking.discard(index)
                self._place(index, found)
                self._show()
            self._changed()

        self._crew.do(run)

    def _place(self, index: int, found: list[Entry]) -> None:
        """Put several pictures of one source into the slot and the free ones after it."""
        free = [i for i in range(index + 1, SUBJECTS) if self.entries[i] is None and i not in self._looking]
        if len(found) > 1 + len(free):
            # It is said of what was given, not of the first picture of it.
            given = self.entries[index] or found[0]
            self.entries[index] = replace(given, problem=entries.too_many(len(found), 1 + len(free)))
            return
        for at, entry in zip([index, *free], found, strict=False):
            self.entries[at] = entry

    def _put(self, index: int, entry: Entry | None, *, quiet: bool = False) -> None:
        with self._lock:
            self._turns[index] += 1
            self._looking.discard(index)
            self.entries[index] = entry
            self._show()
        if not quiet:
            self._changed()

    def _show(self) -> None:
        for index, slot in enumerate(self.slots):
            subject = index < SUBJECTS
            neighbours = (subject and index > 0, subject and index < SUBJECTS - 1)
            slot.show(self.entries[index], busy=index in self._looking, neighbours=neighbours)


def _in_role(entry: Entry | None, index: int) -> Entry | None:
    if entry is None or entry.reference is None:
        return entry
    return replace(entry, reference=replace(entry.reference, role=_ROLES[index]))


def pick_list(names: list[str]) -> list[tuple[str, str]]:
    """Return the notebook's picture variables as a list to pick from."""
    return [(f"{len(names)} in the notebook" if names else "none found", ""), *((name, name) for name in names)]
