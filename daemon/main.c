/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "build-config.h"

#include <stdio.h>

int main(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	puts("maillogsentinel " MLS_VERSION);
	return 0;
}
