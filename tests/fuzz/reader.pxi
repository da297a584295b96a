# The input as a row of bytes. What is read after its end is 0.


cdef struct Reader:
    const uint8_t *next
    const uint8_t *end


cdef inline uint8_t read_byte(Reader *reader) noexcept:
    if reader.next == reader.end:
        return 0
    reader.next += 1
    return (reader.next - 1)[0]


cdef inline int read_signed(Reader *reader) noexcept:
    return <int8_t>read_byte(reader)


cdef inline double read_double(Reader *reader) noexcept:
    """Any float, bit by bit."""
    cdef double value
    cdef uint8_t *bytes = <uint8_t *>&value
    cdef size_t index
    for index in range(sizeof(double)):
        bytes[index] = read_byte(reader)
    return value
