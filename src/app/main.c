// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/base.h"

#include <stdio.h>

int main(void)
{
    printf("marquee %s\n", MARQUEE_VERSION);
    return 0;
}
