# How this extension was compiled, for `python -m timerwheel info`.

cdef extern from *:
    """
    /* The switches of setup.py, as words that are no string yet. Who compiles without it gives none. */
    #ifndef TIMERWHEEL_SWITCHES
      #define TIMERWHEEL_SWITCHES
    #endif
    #ifndef TIMERWHEEL_VERSION
      #define TIMERWHEEL_VERSION unknown
    #endif
    #define timerwheel_quoted(...) #__VA_ARGS__
    #define timerwheel_text(...) timerwheel_quoted(__VA_ARGS__)
    #define timerwheel_version timerwheel_text(TIMERWHEEL_VERSION)
    #define timerwheel_switches timerwheel_text(TIMERWHEEL_SWITCHES)
    """
    const char *version "timerwheel_version"
    const char *switches "timerwheel_switches"
    const int CYTHON_HEX_VERSION

# The project's version at the time of compilation.
VERSION = version.decode()

# The switches of setup.py that were on; empty for a plain build.
BUILD_SWITCHES = switches.decode()

CYTHON_VERSION = ".".join([str(CYTHON_HEX_VERSION >> shift & 255) for shift in (24, 16, 8)])
