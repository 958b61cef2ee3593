/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "migrate/old-units.h"

#include <ctype.h>
#include <dirent.h>
#include <glob.h>
#include <poll.h>
#include <stdio.h>

#include "base/file.h"
#include "daemon/interrupt.h"
#include "daemon/program.h"
#include "daemon/unit.h"
#include "migrate/aside.h"

#define UNITS "/etc/systemd/system/"
#define FILE_MAX ((size_t)1 << 20)
#define WAIT_S 600 /* for an extraction that is at work */

static const char *name_of(const char *path)
{
	return strrchr(path, '/') + 1;
}

static bool is_timer(const char *path)
{
	size_t len = strlen(path);

	return len > 6 && !strcmp(path + len - 6, ".timer");
}

/* ---- timers --------------------------------------------------------------------------------- */

void old_times_done(OldTimes *times)
{
	free(times->report);
	free(times->ip_update);
	free(times->sql_export);
	free(times->sql_import);
	*times = (OldTimes){0};
}

/* The one OnCalendar= of the timer, heap memory; of several none. 0 or -ENOMEM. */
static int read_time(const char *path, char **ret_time)
{
	static const char key[] = "OnCalendar=";
	_cleanup_strbuf_ StrBuf text = STRBUF_INIT;
	_cleanup_free_ char *found = NULL;
	const char *line;
	size_t n;

	if (file_read(path, FILE_MAX, &text) < 0)
		return 0;
	for (line = strbuf_text(&text); *line; line += n + (line[n] == '\n')) {
		n = strcspn(line, "\n");
		if (strncmp(line, key, strlen(key)) != 0)
			continue;
		if (found)
			return 0;
		found = span_dup((Span){line + strlen(key), n - strlen(key)});
		if (!found)
			return -ENOMEM;
		for (char *end = found + strlen(found);
			end > found && isspace((unsigned char)end[-1]);)
			*--end = '\0';
	}
	*ret_time = TAKE(found);
	return 0;
}

static bool is_unit(const Legacy *legacy, const char *path)
{
	for (size_t i = 0; i < legacy->count; i++)
		if (legacy->item[i].kind == LEGACY_UNIT && !strcmp(legacy->item[i].path, path))
			return true;
	return false;
}

int old_units_times(const Legacy *legacy, const char *dir, OldTimes *ret_times)
{
	_cleanup_old_times_ OldTimes times = {0};
	const struct {
		const char *path;
		char **time;
	} of[] = {
		{UNITS "maillogsentinel-report.timer", &times.report},
		{UNITS "ipinfo-update.timer", &times.ip_update},
		{UNITS "maillogsentinel-sql-export.timer", &times.sql_export},
		{UNITS "maillogsentinel-sql-import.timer", &times.sql_import},
	};
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(of) && !r; i++) {
		_cleanup_strbuf_ StrBuf aside = STRBUF_INIT;

		strbuf_appendf(&aside, "%s%s", dir, of[i].path);
		if (strbuf_error(&aside))
			return strbuf_error(&aside);
		r = read_time(
			is_unit(legacy, of[i].path) ? of[i].path : strbuf_text(&aside), of[i].time);
	}
	if (r)
		return r;
	*ret_times = times;
	times = (OldTimes){0};
	return 0;
}

/* ---- what runs ------------------------------------------------------------------------------ */

/* Whether an argument of the command line, a NUL between each, is one of its programs. */
static bool names_program(Span command)
{
	static const char *const programs[] = {"maillogsentinel.py", "ipinfo.py"};
	const char *p = command.data, *end = p + command.len;

	while (p < end) {
		const char *slash = strrchr(p, '/'), *name = slash ? slash + 1 : p;

		for (size_t i = 0; i < ARRAY_SIZE(programs); i++)
			if (!strcmp(name, programs[i]))
				return true;
		p += strlen(p) + 1;
	}
	return false;
}

/* A process of Python's that runs one of its programs; 0: there is none. */
static pid_t find_process(void)
{
	DIR *proc = opendir("/proc");
	const struct dirent *entry;
	pid_t found = 0;

	while (proc && !found && (entry = readdir(proc))) {
		_cleanup_strbuf_ StrBuf path = STRBUF_INIT, command = STRBUF_INIT;
		long pid = strtol(entry->d_name, NULL, 10);

		if (pid <= 0 || pid == getpid())
			continue;
		strbuf_appendf(&path, "/proc/%ld/cmdline", pid);
		if (strbuf_error(&path) || file_read(strbuf_text(&path), FILE_MAX, &command) < 0)
			continue;
		if (strstr(strbuf_text(&command), "python") &&
			names_program((Span){strbuf_text(&command), command.len}))
			found = (pid_t)pid;
	}
	if (proc)
		(void)closedir(proc);
	return found;
}

/* An extraction is let come to its end: one that is killed has written rows, and no offset. */
static int apply_wait(void *userdata, Why *ret_why)
{
	pid_t pid = find_process();

	for (int i = 0; i < 4 * WAIT_S && pid; i++) {
		if (interrupt_is_pending())
			return -EINTR;
		(void)poll(NULL, 0, 250);
		pid = find_process();
	}
	if (!pid)
		return 0;
	why_set(ret_why,
		"process %d of the Python version is still at work; try again when it has ended",
		(int)pid);
	return -EBUSY;
}

/* ---- steps ---------------------------------------------------------------------------------- */

static bool is_enabled(const char *name)
{
	const char *const argv[] = {"systemctl", "is-enabled", "-q", name, NULL};

	return program_run(argv, &(ProgramOptions){.quiet = true}) == 0;
}

static bool is_active(const char *name)
{
	const char *const argv[] = {"systemctl", "is-active", "-q", name, NULL};

	return program_run(argv, &(ProgramOptions){.quiet = true}) == 0;
}

/* A timer is stopped, too; a service comes to its end. */
static int add_disabling(const char *name, bool stop, Plan *plan)
{
	_cleanup_strbuf_ StrBuf text = STRBUF_INIT;
	const char *argv[] = {"systemctl", "disable", "-q", name, stop ? "--now" : NULL, NULL};
	const char *undo[] = {"systemctl", "enable", "-q", name, stop ? "--now" : NULL, NULL};

	strbuf_appendf(&text, "%s %s", stop ? "stop and disable" : "disable", name);
	return strbuf_error(&text) ? strbuf_error(&text)
				   : plan_add_command(plan, strbuf_text(&text), argv, undo);
}

/* What was added to a unit would hold for one of the same name. What this program's setup has added stays. */
static int add_drop_ins(const char *unit, const char *dir, Plan *plan)
{
	_cleanup_strbuf_ StrBuf pattern = STRBUF_INIT;
	glob_t found;
	int r = 0;

	strbuf_appendf(&pattern, "%s.d/*.conf", unit);
	if (strbuf_error(&pattern))
		return strbuf_error(&pattern);
	if (glob(strbuf_text(&pattern), 0, NULL, &found))
		return 0;
	for (size_t i = 0; i < found.gl_pathc && !r; i++) {
		_cleanup_strbuf_ StrBuf text = STRBUF_INIT;

		if (file_read(found.gl_pathv[i], FILE_MAX, &text) < 0 ||
			!unit_is_ours((Span){strbuf_text(&text), text.len}))
			r = aside_add_move(plan, dir, found.gl_pathv[i]);
	}
	globfree(&found);
	return r;
}

int old_units_add(const Legacy *legacy, const char *dir, bool systemd, Plan *plan)
{
	static const char *const reload[] = {"systemctl", "daemon-reload", NULL};
	size_t units = 0;
	int r = 0;

	for (size_t i = 0; i < legacy->count && !r; i++) {
		const char *path = legacy->item[i].path, *name = name_of(path);

		if (legacy->item[i].kind != LEGACY_UNIT)
			continue;
		units++;
		if (systemd && (is_enabled(name) || (is_timer(path) && is_active(name))))
			r = add_disabling(name, is_timer(path), plan);
	}
	if (!r)
		r = plan_add_step(plan,
			find_process() ? "wait until the Python version has ended" : NULL,
			apply_wait, NULL, NULL);
	/* Taken back, the units are read anew before the timers start again. */
	if (!r && systemd && units)
		r = plan_add_command(plan, NULL, NULL, reload);
	for (size_t i = 0; i < legacy->count && !r; i++) {
		if (legacy->item[i].kind != LEGACY_UNIT)
			continue;
		/* First, since they are known by it. */
		r = add_drop_ins(legacy->item[i].path, dir, plan);
		if (!r)
			r = aside_add_move(plan, dir, legacy->item[i].path);
	}
	if (!r && systemd && units)
		r = plan_add_command(plan, "let systemd read its units anew", reload, NULL);
	return r;
}

/* ---- cron ----------------------------------------------------------------------------------- */

static int find_in(const char *path, StrBuf *sb)
{
	_cleanup_strbuf_ StrBuf text = STRBUF_INIT;
	const char *line;
	unsigned number = 0;
	size_t n;

	if (file_read(path, FILE_MAX, &text) < 0)
		return 0;
	for (line = strbuf_text(&text); *line; line += n + (line[n] == '\n')) {
		n = strcspn(line, "\n");
		number++;
		if (line[strspn(line, " \t")] != '#' &&
			(memmem(line, n, "maillogsentinel.py", 18) ||
				memmem(line, n, "ipinfo.py", 9)))
			strbuf_appendf(sb, "%s: line %u\n", path, number);
	}
	return strbuf_error(sb);
}

int old_units_find_cron(StrBuf *sb)
{
	static const char *const patterns[] = {"/etc/crontab", "/etc/anacrontab", "/etc/cron.d/*",
		"/etc/cron.hourly/*", "/etc/cron.daily/*", "/etc/cron.weekly/*",
		"/var/spool/cron/crontabs/*", "/var/spool/cron/*"};
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(patterns) && !r; i++) {
		glob_t found;

		if (glob(patterns[i], 0, NULL, &found))
			continue;
		for (size_t k = 0; k < found.gl_pathc && !r; k++)
			r = find_in(found.gl_pathv[k], sb);
		globfree(&found);
	}
	return r;
}
