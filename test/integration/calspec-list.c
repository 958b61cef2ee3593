/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * calspec-list BASE COUNT: for each calendar expression on stdin a line "EXPRESSION|TIME TIME ...": the COUNT times that follow BASE,
 * as seconds since 1970; or "EXPRESSION|invalid: WHY".
 */

#include "base/calspec.h"

#include <stdio.h>

int main(int argc, char **argv)
{
	_cleanup_free_ char *line = NULL;
	size_t size = 0;
	ssize_t len;

	if (argc != 3)
		return 2;
	while ((len = getline(&line, &size, stdin)) > 0) {
		int64_t at_us = strtoll(argv[1], NULL, 10) * USEC_PER_SEC;
		LocalZone zone = {0};
		CalSpec spec;
		Why why = {""};

		line[len - 1] = '\0';
		printf("%s|", line);
		if (calspec_parse(span_from_string(line), &spec, &why)) {
			printf("invalid: %s\n", why.text);
			continue;
		}
		for (long i = strtol(argv[2], NULL, 10);
			i > 0 && !calspec_next(&spec, &zone, at_us, &at_us); i--)
			printf("%lld ", (long long)(at_us / USEC_PER_SEC));
		putchar('\n');
	}
	return fflush(stdout) ? 1 : 0;
}
