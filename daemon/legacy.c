/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/legacy.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/utf8.h"

#define UNIT_DIR "/etc/systemd/system/"
#define HEAD_MAX 8192 /* bytes of a file that are looked at */

/* The names that its setup gave, and what is in them and not in ours. */
static const struct {
	const char *name, *mark;
} units[] = {
	{"maillogsentinel.service", ".py"},
	{"maillogsentinel.timer", "Description=Run MailLogSentinel"},
	{"maillogsentinel-extract.service", ".py"},
	{"maillogsentinel-extract.timer", "Description=Run MailLogSentinel"},
	{"maillogsentinel-report.service", ".py"},
	{"maillogsentinel-report.timer", "Description=Run MailLogSentinel"},
	{"maillogsentinel-sql-export.service", ".py"},
	{"maillogsentinel-sql-export.timer", "Description=Run MailLogSentinel"},
	{"maillogsentinel-sql-import.service", ".py"},
	{"maillogsentinel-sql-import.timer", "Description=Run MailLogSentinel"},
	{"ipinfo-update.service", ".py"},
	{"ipinfo-update.timer", "ipinfo-update.service"},
};

static const char *const programs[] = {
	"/usr/local/bin/maillogsentinel.py",
	"/usr/local/lib/maillogsentinel",
};

void legacy_done(Legacy *legacy)
{
	for (size_t i = 0; i < legacy->count; i++)
		free(legacy->item[i].path);
	*legacy = LEGACY_INIT;
}

/* The first bytes of a regular file, as text that ends at a NUL; false when there is none. */
static bool read_head(const char *path, char head[HEAD_MAX + 1])
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	n = file_pread_full(fd, head, HEAD_MAX, 0);
	if (n < 0)
		return false;
	head[n] = '\0';
	return true;
}

static int add(Legacy *legacy, LegacyKind kind, const char *path)
{
	char *copy;

	if (legacy->count == LEGACY_MAX)
		return 0;
	copy = strdup(path);
	if (!copy)
		return -ENOMEM;
	legacy->item[legacy->count].kind = kind;
	legacy->item[legacy->count++].path = copy;
	legacy->blocks |= kind != LEGACY_PROGRAM;
	return 0;
}

bool legacy_is_config(Span text)
{
	static const char *const sections[] = {"paths", "report", "geolocation", "geo", "ASN_ASO",
		"general", "dns_cache", "systemd", "timers", "User", "permissions", "database",
		"sqlite_database", "meta"};
	const char *p = text.data, *end = p + text.len;

	for (; p < end; p = memchr(p, '\n', (size_t)(end - p)), p = p ? p + 1 : end) {
		if (*p != '[')
			continue;
		for (size_t i = 0; i < ARRAY_SIZE(sections); i++) {
			size_t len = strlen(sections[i]);

			if ((size_t)(end - p) > len + 1 && !memcmp(p + 1, sections[i], len) &&
				p[1 + len] == ']')
				return true;
		}
	}
	return false;
}

/* Its header, of the columns that there are now or that an older one had. */
static bool is_csv(const char *head)
{
	return !strncmp(head, "server;date;ip;user", strlen("server;date;ip;user"));
}

/* It kept an offset, and nothing else. */
static bool is_state(const char *head)
{
	size_t digits = strspn(head, "0123456789");

	return digits && !head[digits + strspn(head + digits, " \r\n")];
}

static int look_at(Legacy *legacy, LegacyKind kind, const char *path, const char *mark)
{
	char head[HEAD_MAX + 1];
	bool found = false;

	if (!read_head(path, head))
		return 0;
	switch (kind) {
	case LEGACY_UNIT: found = strstr(head, mark) != NULL; break;
	case LEGACY_CONFIG: found = legacy_is_config(span_from_string(head)); break;
	case LEGACY_CSV: found = is_csv(head); break;
	case LEGACY_STATE: found = is_state(head); break;
	case LEGACY_PROGRAM: break;
	}
	return found ? add(legacy, kind, path) : 0;
}

int legacy_find(const char *config_path, const Config *config, Legacy *ret_legacy)
{
	static const char default_csv[] = "/var/log/maillogsentinel/maillogsentinel.csv";
	_cleanup_free_ char *csv = config ? config_csv_path_dup(config) : strdup(default_csv);
	_cleanup_free_ char *state = file_join_dup(
		config ? config->paths.state_dir : "/var/lib/maillogsentinel", "state.offset");
	_cleanup_legacy_ Legacy legacy = LEGACY_INIT;
	struct stat st;
	int r = csv && state ? 0 : -ENOMEM;

	for (size_t i = 0; i < ARRAY_SIZE(units) && !r; i++) {
		char path[128] = UNIT_DIR;

		memcpy(path + strlen(UNIT_DIR), units[i].name, strlen(units[i].name) + 1);
		r = look_at(&legacy, LEGACY_UNIT, path, units[i].mark);
	}
	if (!r)
		r = look_at(&legacy, LEGACY_CONFIG, config_path, NULL);
	if (!r)
		r = look_at(&legacy, LEGACY_CSV, csv, NULL);
	if (!r)
		r = look_at(&legacy, LEGACY_STATE, state, NULL);
	/* A link is what maillogsentinel-migrate has put there. */
	for (size_t i = 0; i < ARRAY_SIZE(programs) && !r; i++)
		if (!lstat(programs[i], &st) && !S_ISLNK(st.st_mode))
			r = add(&legacy, LEGACY_PROGRAM, programs[i]);
	if (r)
		return r;
	*ret_legacy = legacy;
	legacy = LEGACY_INIT;
	return 0;
}

static const char *describe(LegacyKind kind, const char *name)
{
	switch (kind) {
	case LEGACY_UNIT:
		return strncmp(name, "maillogsentinel", 15) != 0
			       ? "is a unit of the Python version"
			       : "is a unit of the Python version and hides this version's";
	case LEGACY_CONFIG:
		return "is a configuration of the Python version, which has another syntax";
	case LEGACY_CSV: return "is a CSV of the Python version, with other columns";
	case LEGACY_STATE: return "is the state of the Python version";
	case LEGACY_PROGRAM: return "is of the Python version; it is in nobody's way";
	}
	return "";
}

void legacy_append(const Legacy *legacy, const char *prefix, StrBuf *sb)
{
	for (size_t i = 0; i < legacy->count; i++) {
		const char *path = legacy->item[i].path;

		strbuf_append_string(sb, prefix);
		utf8_append_escaped(sb, span_from_string(path));
		strbuf_appendf(
			sb, ": %s\n", describe(legacy->item[i].kind, strrchr(path, '/') + 1));
	}
	if (legacy->count)
		strbuf_appendf(sb,
			"%s'maillogsentinel-migrate' takes over what the Python version left, and "
			"puts it aside\n",
			prefix);
}
