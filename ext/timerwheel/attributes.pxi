# A reactor's attributes, read and written as object.__getattribute__() and object.__setattr__() do.
#
# Up to Python 3.12 this does not ask for the reactor's dict. Since 3.11 CPython makes the dict only when
# somebody asks for it, as vars() does. On 3.11 and 3.12 each attribute that Python code reads of the
# reactor costs more from then on, and Twisted reads many for each message. From 3.13 on it does not cost
# more. There this looks up the queue in the dict, because after a thousand changes of a class CPython looks
# up each attribute of its instances in all bases.

cdef str KEY = "_timerwheel"    # the attribute of a reactor that holds its queue


cdef extern from *:
    """
    /* What a reactor has under a name, with a reference; or NULL. */
    static PyObject *timerwheel_found_in(PyObject *reactor, PyObject *name) {
      #if PY_VERSION_HEX >= 0x030D0000
        PyObject *value = NULL, *dict = PyObject_GenericGetDict(reactor, NULL);
        if (dict == NULL) {
            PyErr_Clear();      /* its type has none */
            return NULL;
        }
        PyDict_GetItemRef(dict, name, &value);
        Py_DECREF(dict);
        return value;
      #else
        PyObject *value = PyObject_GenericGetAttr(reactor, name);
        if (value == NULL && PyErr_ExceptionMatches(PyExc_AttributeError))
            PyErr_Clear();
        return value;
      #endif
    }
    """
    PyObject *found_in "timerwheel_found_in"(PyObject *object, object name) except? NULL

cdef extern from "Python.h":
    PyObject *generic_getattr "PyObject_GenericGetAttr"(PyObject *, PyObject *)
    int generic_setattr "PyObject_GenericSetAttr"(PyObject *, PyObject *, PyObject *)


cdef inline PyObject *queue_in(PyObject *reactor) except? NULL:
    """The queue of a reactor, as a new reference; or NULL.

    NULL also for an object that is not a reactor, which Twisted's function may know how to treat.
    """
    cdef PyObject *queue = found_in(reactor, KEY)
    if queue != NULL and queue.ob_type != <PyTypeObject *>CallQueue:
        Py_DECREF(<object>queue)
        return NULL
    return queue


def find_queue(reactor):
    """The queue of a reactor, or None if it has no wheel."""
    cdef PyObject *queue = queue_in(<PyObject *>reactor)
    return None if queue == NULL else owned(queue)


def find_attribute(reactor, str name not None, default=None):
    """The attribute that object.__getattribute__() finds; default if there is none, or no memory."""
    cdef PyObject *value = generic_getattr(<PyObject *>reactor, <PyObject *>name)
    if value == NULL:
        PyErr_Clear()
        return default
    return owned(value)


def set_attributes(reactor, dict attributes not None):
    """Set attributes as object.__setattr__() does. To replace existing ones needs no memory."""
    for name, value in attributes.items():
        checked(generic_setattr(<PyObject *>reactor, <PyObject *>name, <PyObject *>value))


def remove_attribute(reactor, str name not None):
    """Remove a reactor's own attribute, if it has it. Needs no memory."""
    if generic_setattr(<PyObject *>reactor, <PyObject *>name, NULL) < 0:
        PyErr_Clear()
