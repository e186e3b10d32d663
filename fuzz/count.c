/* A target for the test of the runner: counts inputs and bytes, and compares at exit with what the environment says. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned long inputs, bytes;

static void compare(void)
{
    const char *expect_inputs = getenv("EXPECT_INPUTS"), *expect_bytes = getenv("EXPECT_BYTES");
    if (expect_inputs == NULL || expect_bytes == NULL)
        return;
    if (inputs != strtoul(expect_inputs, NULL, 10) || bytes != strtoul(expect_bytes, NULL, 10)) {
        fprintf(stderr, "ran %lu inputs of %lu bytes\n", inputs, bytes);
        _exit(1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (inputs == 0)
        atexit(compare);
    inputs++;
    for (size_t i = 0; i < size; i++)
        bytes += data[i] != 0;
    return 0;
}
