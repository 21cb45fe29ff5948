# SPDX-License-Identifier: GPL-3.0-or-later
# Turns a text file into a C string constant, line by line.
1i // SPDX-License-Identifier: GPL-3.0-or-later\
static const char policy_text[] =
s/[\\"]/\\&/g
s/^/    "/
s/$/\\n"/
$a ;
