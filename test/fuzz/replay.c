// SPDX-License-Identifier: GPL-3.0-or-later
//
// Runs a fuzz target over the files named on the command line, for compilers without libFuzzer.
#include "base/base.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        AUTO(buf_free) struct buf file = {0};
        if (fs_read_file(argv[i], 64u << 20, &file) < 0) {
            fprintf(stderr, "%s: %s\n", argv[i], err_reason());
            return 1;
        }
        // A block of just this size lets ASan see reads past the end of the input.
        uint8_t *exact = malloc(file.len ? file.len : 1);
        ASSERT(exact);
        memcpy(exact, file.data, file.len);
        LLVMFuzzerTestOneInput(exact, file.len);
        free(exact);
    }
    printf("%d inputs\n", argc - 1);
    return 0;
}
