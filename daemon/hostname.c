/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/hostname.h"

#include "base/file.h"

#include <limits.h>

#define HOSTS_PATH "/etc/hosts"
#define HOSTS_MAX ((size_t)16 << 20) /* people block advertisements with it */
#define BLANKS " \t\r\n"

/* Whether it is the name with a domain behind it. */
static bool is_full(Span full, const char *name)
{
	size_t len = strlen(name);

	return full.len > len + 1 && !strncasecmp(full.data, name, len) && full.data[len] == '.';
}

/* The first full name in the line; of hosts(5): an address, names, maybe a comment. */
static bool find_in_line(const char *line, const char *name, Span *ret_full)
{
	size_t end = strcspn(line, "#\n");
	bool is_name = false;

	for (size_t at = 0; at < end;) {
		size_t len = MIN(strcspn(line + at, BLANKS), end - at);
		Span word = {line + at, len};

		if (is_name && is_full(word, name)) {
			*ret_full = word;
			return true;
		}
		is_name |= len > 0;
		at += len;
		at += strspn(line + at, " \t\r");
	}
	return false;
}

/* Not by gethostent(3), which waits for itself without end when there is no memory; nor by name servers, which may not answer. */
static char *find_dup(const char *name)
{
	_cleanup_strbuf_ StrBuf hosts = STRBUF_INIT;
	const char *line;
	Span full;

	if (file_read(HOSTS_PATH, HOSTS_MAX, &hosts) < 0)
		return NULL;
	for (line = strbuf_text(&hosts); *line; line += strcspn(line, "\n"), line += *line == '\n')
		if (find_in_line(line, name, &full))
			return span_dup(full);
	return NULL;
}

char *hostname_dup(void)
{
	char name[HOST_NAME_MAX + 1] = "";
	char *full;

	if (gethostname(name, sizeof(name)) < 0 || !*name)
		return strdup("localhost");
	name[sizeof(name) - 1] = '\0';
	full = strchr(name, '.') ? NULL : find_dup(name);
	return full ? full : strdup(name);
}
