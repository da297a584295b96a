# The queue of the installed reactor. It is not garbage while that reactor is installed.

from weakref import ref

cdef object immortal_ref = None     # a weak reference to the immortal queue, if there is one


def review_immortality(phase="start", info=None):
    """Hide the calls of the installed reactor from the collector, and show it those of any other.

    For gc.callbacks, which the collector calls when a collection begins. If another reactor has been
    installed by then, this collection finds the garbage of the first. Takes O(n) steps when another reactor
    is installed, else a few. Does nothing without a GIL.
    """
    global immortal_ref
    cdef CallQueue queue, immortal
    if FREE_THREADED or phase != "start":
        return
    queue = installed_queue()
    immortal = None if immortal_ref is None else immortal_ref()
    if queue is immortal:
        return
    immortal_ref = None if queue is None else ref(queue)
    if immortal is not None:
        immortal.make_mortal()
    if queue is not None:
        queue.make_immortal()


cdef CallQueue installed_queue():
    cdef PyObject *reactor = PyImport_GetModule("twisted.internet.reactor")
    return None if reactor == NULL else find_queue(owned(reactor))
