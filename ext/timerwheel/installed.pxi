# The queue of the reactor that is installed: it is no garbage as long as that lasts.

from weakref import ref

cdef object immortal_ref = None     # a weak reference to the queue that is immortal, if there is one


def review_immortality(phase="start", info=None):
    """Have the collector not walk the calls of the installed reactor, and walk those of any other.

    For gc.callbacks, which the collector calls when a collection begins: whoever has taken the
    installed reactor's place by then, what nothing else refers to is found in that collection.
    Takes O(n) steps when another reactor is installed, else a few. Does nothing without a GIL.
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
