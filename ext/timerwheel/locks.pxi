# Locks, for a Python that runs without the GIL. With a GIL all of this compiles to nothing.
#
# A lock guards a wheel or a priority queue, and all that is said of the entries in it: links, deadline,
# mark, owner, callback. There are 256, which no one frees. A wheel has the number of one, and each entry
# the number of the wheel that it is in or was in last. So whoever has an entry can lock the wheel that
# it is in without a look at that wheel, which another thread may be freeing: it takes its entries out
# under the same lock first. (A critical section of CPython's does not do: it locks an object that must
# stay, and a second one inside it may open it.) Two wheels may share a number: then they wait for each
# other, and that is all.
#
# When an entry changes its number, whoever sees the new one must also see what was done to the entry
# under the old lock. So the number is stored with release order and loaded with acquire order.
#
# Under a lock no code of the program runs and nothing waits: no clock is read, nothing is released that
# may be the last reference, no second lock is taken. An owner is borrowed: it may be about to go, so
# that nobody makes a reference of it (see queue_to_tell).

cdef extern from *:
    """
    #ifdef Py_GIL_DISABLED
      #define TIMERWHEEL_FREE_THREADED 1
      /* Each in a cache line of its own. */
      static union { PyMutex mutex; char line[64]; } timerwheel_locks[256];
      #define timerwheel_acquire(number) PyMutex_Lock(&timerwheel_locks[number].mutex)
      #define timerwheel_release(number) PyMutex_Unlock(&timerwheel_locks[number].mutex)
      /* What a weak reference refers to, with a reference; or NULL if that is going. */
      static PyObject *timerwheel_referent(PyObject *ref) {
          PyObject *object;
          PyWeakref_GetRef(ref, &object);
          return object;
      }
      #define timerwheel_renew_locks() memset(timerwheel_locks, 0, sizeof(timerwheel_locks))
      #ifdef _MSC_VER
        #include <intrin.h>
        #define timerwheel_load(number) ((uint8_t)_InterlockedOr8((volatile char *)(number), 0))
        #define timerwheel_store(number, value) _InterlockedExchange8((volatile char *)(number), (char)(value))
        #define timerwheel_next(number) ((uint8_t)_InterlockedExchangeAdd8((volatile char *)(number), 1))
        #define timerwheel_load_pointer(pointer) \\
            ((PyObject *)_InterlockedCompareExchangePointer((void *volatile *)(pointer), NULL, NULL))
      #else
        #define timerwheel_load(number) __atomic_load_n((number), __ATOMIC_ACQUIRE)
        #define timerwheel_store(number, value) __atomic_store_n((number), (value), __ATOMIC_RELEASE)
        #define timerwheel_next(number) __atomic_fetch_add((number), 1, __ATOMIC_RELAXED)
        #define timerwheel_load_pointer(pointer) __atomic_load_n((pointer), __ATOMIC_ACQUIRE)
      #endif
    #else
      #define TIMERWHEEL_FREE_THREADED 0
      #define timerwheel_acquire(number) ((void)0)
      #define timerwheel_release(number) ((void)0)
      #define timerwheel_referent(ref) NULL
      #define timerwheel_renew_locks() ((void)0)
      #define timerwheel_load(number) (*(number))
      #define timerwheel_store(number, value) (*(number) = (value))
      #define timerwheel_next(number) 0
      #define timerwheel_load_pointer(pointer) (*(pointer))
    #endif
    """
    const bint FREE_THREADED "TIMERWHEEL_FREE_THREADED"
    void acquire "timerwheel_acquire"(uint8_t number) noexcept
    void release "timerwheel_release"(uint8_t number) noexcept
    void renew_locks "timerwheel_renew_locks"() noexcept
    uint8_t load_number "timerwheel_load"(uint8_t *number) noexcept
    void store_number "timerwheel_store"(uint8_t *number, uint8_t value) noexcept
    uint8_t next_number "timerwheel_next"(uint8_t *number) noexcept
    PyObject *referent "timerwheel_referent"(PyObject *ref) except? NULL
    PyObject *load_pointer "timerwheel_load_pointer"(PyObject **pointer) noexcept


cdef uint8_t newest_lock = 0


cdef inline uint8_t new_lock() noexcept:
    """The number of the lock of a new wheel."""
    return next_number(&newest_lock)


cdef inline void acquire_entry(Entry *entry) noexcept:
    """Take the lock of an entry, until release(entry.lock)."""
    cdef uint8_t number
    if FREE_THREADED:
        while True:
            number = load_number(&entry.lock)
            acquire(number)
            if load_number(&entry.lock) == number:  # else it has gone to another wheel meanwhile
                return
            release(number)


cdef inline void acquire_to_add(Entry *entry, PyObject **owner, uint8_t number) noexcept:
    """Take this lock, and have it be the entry's, which is to be added to a wheel that has it.

    If the entry is in a wheel already (owner is not NULL), that one's is taken. Until release(entry.lock).
    """
    cdef uint8_t last
    if FREE_THREADED:
        while True:
            acquire_entry(entry)
            last = entry.lock
            if last == number or owner[0] != NULL:
                return
            store_number(&entry.lock, number)
            release(last)


def _renew_locks():
    """In a child that was forked: whoever held a lock is not there."""
    renew_locks()


if FREE_THREADED:
    import os

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_renew_locks)
