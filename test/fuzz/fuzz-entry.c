/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What libFuzzer calls; the build says which target it is for. */

#include <stddef.h>
#include <stdint.h>

int FUZZ_FUNCTION(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return FUZZ_FUNCTION(data, size);
}
