/* What libFuzzer calls. Python is started for the exceptions by which the target reports. */

#include <Python.h>
#include "target.h"

/* What Python itself keeps until its end is none of ours; the target counts its own blocks. */
const char *__asan_default_options(void) {
    return "detect_leaks=0";
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    PyConfig config;
    PyConfig_InitIsolatedConfig(&config);
    if (PyImport_AppendInittab("target", PyInit_target) < 0 ||
        PyStatus_Exception(PyConfig_SetBytesString(&config, &config.home, PYTHON_HOME)) ||
        PyStatus_Exception(Py_InitializeFromConfig(&config)) ||
        PyImport_ImportModule("target") == NULL) {
        PyErr_Print();
        abort();
    }
    PyConfig_Clear(&config);
    show_steps = getenv("FUZZ_STEPS") != NULL;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (run_program(data, size) < 0) {
        PyErr_Print();
        abort();
    }
    return 0;
}
