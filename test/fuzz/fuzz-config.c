/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * A configuration file. What is wrong with it is told in lines that can be printed, in the order of its lines; what is
 * right reads back from its own dump; and no word of it can make libconfig open another file.
 */

#include "fuzz.h"

#include "base/number.h"
#include "daemon/config-option.h"
#include "daemon/config-scan.h"
#include "daemon/config.h"

/* "PATH:12: why" or "PATH: why" a line. */
static void check_errors(const StrBuf *errors, const char *path)
{
	const char *p = strbuf_text(errors), *end = p + errors->len;
	uint64_t last = 0;

	HOLDS(p < end);
	while (p < end) {
		const char *newline = memchr(p, '\n', (size_t)(end - p));
		size_t n = strlen(path), digits;
		uint64_t line = 0;

		HOLDS(newline);
		HOLDS(fuzz_is_printable((Span){p, (size_t)(newline - p)}));
		HOLDS((size_t)(newline - p) > n + 2 && !memcmp(p, path, n) && p[n] == ':');
		digits = strspn(p + n + 1, "0123456789");
		HOLDS(!digits || !number_parse_u64((Span){p + n + 1, digits}, 1 << 20, &line));
		HOLDS(p[n + 1 + digits] == (digits ? ':' : ' '));
		/* "and 28 more" ends them */
		HOLDS(line >= last || (!digits && newline + 1 == end));
		last = line;
		p = newline + 1;
	}
}

static bool is_group(const char *name)
{
	return config_group_find(name, NULL);
}

/* libconfig takes @include at the start of a line; its texts hold no line ends after the scan. */
static void check_no_include(Span text)
{
	_cleanup_strbuf_ StrBuf scanned = STRBUF_INIT;
	_cleanup_free_ ConfigMistakes *mistakes = calloc(1, sizeof(*mistakes));
	const char *p;

	HOLDS(mistakes);
	if (!config_scan(text, is_group, mistakes, &scanned)) {
		bool quoted = false;

		for (p = strbuf_text(&scanned); *p; p++) {
			HOLDS(quoted || *p != '@');
			HOLDS(!quoted || *p != '\n');
			if (quoted && *p == '\\' && p[1])
				p++;
			else if (*p == '"')
				quoted = !quoted;
		}
		HOLDS(p == strbuf_text(&scanned) + scanned.len);
		HOLDS(!quoted);
	}
	config_mistakes_done(mistakes);
}

FUZZ_TARGET(config)
{
	_cleanup_strbuf_ StrBuf errors = STRBUF_INIT, dump = STRBUF_INIT, again = STRBUF_INIT;
	_cleanup_(config_freep) Config *config = NULL, *back = NULL;
	const char *path = fuzz_memory_file(data, size);
	int r = config_load(path, &config, &errors);

	check_no_include(fuzz_rest(&(FuzzInput){data, size}));
	if (r) {
		HOLDS(r == -EINVAL && !config);
		check_errors(&errors, path);
		return 0;
	}
	HOLDS(!errors.len);
	config_dump(config, &dump);
	HOLDS(!config_load(fuzz_memory_file(dump.data, dump.len), &back, &errors));
	config_dump(back, &again);
	HOLDS(again.len == dump.len && !memcmp(again.data, dump.data, dump.len));
	return 0;
}
