# SPDX-License-Identifier: GPL-3.0-or-later
# Turns a text file into a C string, line by line: `static const char x[] =`, an include of it, `;`.
s/[\\"]/\\&/g
s/^/    "/
s/$/\\n"/
