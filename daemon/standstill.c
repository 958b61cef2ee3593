/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/standstill.h"

#include "base/file.h"
#include "base/number.h"
#include "daemon/command.h"
#include "daemon/log.h"
#include "state/checkpoint.h"
#include "state/lock.h"

#include <fcntl.h>
#include <sys/stat.h>

#define CGROUP_MAX ((size_t)16 * 1024)

/* The writer's comes first: who holds that has jobs which hold the others. */
static const char *const names[] = {
	"lock", "report.lock", "sql-export.lock", "sql-import.lock", "update-db.lock"};

enum { CSV_CONFIGURED = ARRAY_SIZE(names), CSV_RECORDED, LOCK_COUNT };

struct Standstill {
	int fds[LOCK_COUNT];
};

void standstill_free(Standstill *standstill)
{
	if (!standstill)
		return;
	for (size_t i = 0; i < LOCK_COUNT; i++)
		close_fd(&standstill->fds[i]);
	free(standstill);
}

static int fail(const char *path, int error)
{
	log_error("%s: %s", path, strerror(-error));
	return EXIT_FAILED;
}

/* ---- who is in the way ------------------------------------------------------------------------ */

/* The unit of systemd that the process is of: the last part of its control group, when that is a service. */
static bool find_unit(pid_t pid, StrBuf *ret_unit)
{
	_cleanup_strbuf_ StrBuf path = STRBUF_INIT, text = STRBUF_INIT;
	const char *line, *end, *slash;

	strbuf_appendf(&path, "/proc/%ld/cgroup", (long)pid);
	if (strbuf_error(&path) || file_read(path.data, CGROUP_MAX, &text) < 0)
		return false;
	for (line = strbuf_text(&text); *line; line = *end ? end + 1 : end) {
		end = strchrnul(line, '\n');
		/* "0::/system.slice/maillogsentinel.service"; before cgroups of version 2 "1:name=systemd:/..." */
		if (strncmp(line, "0::", 3) != 0 && strncmp(line, "1:name=systemd:", 15) != 0)
			continue;
		slash = memrchr(line, '/', (size_t)(end - line));
		if (slash && end - slash > 9 && !memcmp(end - 8, ".service", 8)) {
			strbuf_append(ret_unit, slash + 1, (size_t)(end - slash - 1));
			return !strbuf_error(ret_unit);
		}
	}
	return false;
}

static void append_way_out(pid_t pid, bool runs, StrBuf *sb)
{
	_cleanup_strbuf_ StrBuf unit = STRBUF_INIT;

	if (!runs)
		strbuf_append_string(sb, "try again when it has ended");
	else if (find_unit(pid, &unit))
		strbuf_appendf(sb, "stop it first: systemctl stop %s", unit.data);
	else if (pid)
		strbuf_appendf(sb, "stop it first: kill %ld", (long)pid);
	else
		strbuf_append_string(sb, "stop it first");
}

static int say_held(const char *path, const char *holder)
{
	_cleanup_strbuf_ StrBuf way_out = STRBUF_INIT;
	const char *command = strchr(holder, ' ');
	uint64_t pid = 0;

	if (command)
		(void)number_parse_u64((Span){holder, (size_t)(command - holder)}, INT32_MAX, &pid);
	append_way_out((pid_t)pid, command && !strcmp(command, " run"), &way_out);
	log_error("%s: another maillogsentinel is at work (process %s); %s", path,
		*holder ? holder : "unknown", strbuf_text(&way_out));
	return EXIT_FAILED;
}

/* ---- taking them ------------------------------------------------------------------------------ */

static int take(const Config *config, const char *name, const char *command, int *ret_fd)
{
	_cleanup_free_ char *path = file_join_dup(config->paths.state_dir, name);
	char holder[LOCK_HOLDER_MAX] = "";
	int r = path ? lock_take(path, command, ret_fd, holder) : -ENOMEM;

	if (r == LOCK_HELD)
		return say_held(path, holder);
	return r < 0 ? fail(path ? path : name, r) : 0;
}

/* Two configurations may name one CSV. */
static int take_csv(const char *path, int *ret_fd)
{
	_cleanup_close_ int fd = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	pid_t holder;
	int r;

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : fail(path, -errno);
	if (fstat(fd, &st) < 0)
		return fail(path, -errno);
	if (!S_ISREG(st.st_mode))
		return 0;
	r = lock_file(fd);
	if (r == LOCK_HELD) {
		holder = lock_file_holder(fd);
		log_error("%s: another maillogsentinel, with a state_dir of its own, is writing it "
			  "(process %ld); stop it first",
			path, (long)holder);
		return EXIT_FAILED;
	}
	*ret_fd = take_fd(&fd);
	return r < 0 ? fail(path, r) : 0;
}

static int take_csvs(Standstill *standstill, const Config *config)
{
	_cleanup_free_ char *path = config_csv_path_dup(config);
	_cleanup_free_ char *state = file_join_dup(config->paths.state_dir, "state.offset");
	_cleanup_checkpoint_ Checkpoint checkpoint = CHECKPOINT_INIT;
	Why why;
	int r;

	if (!path || !state)
		return fail(config->paths.state_dir, -ENOMEM);
	r = take_csv(path, &standstill->fds[CSV_CONFIGURED]);
	/* What can't be read names none. */
	if (r || checkpoint_load(state, &checkpoint, &why) || !checkpoint.csv_path ||
		!strcmp(checkpoint.csv_path, path))
		return r;
	return take_csv(checkpoint.csv_path, &standstill->fds[CSV_RECORDED]);
}

int standstill_new(const Config *config, const char *command, Standstill **ret_standstill)
{
	_cleanup_(standstill_freep) Standstill *standstill = malloc(sizeof(*standstill));
	int r = 0;

	if (!standstill)
		return fail(config->paths.state_dir, -ENOMEM);
	for (size_t i = 0; i < LOCK_COUNT; i++)
		standstill->fds[i] = -1;
	for (size_t i = 0; i < ARRAY_SIZE(names) && !r; i++)
		r = take(config, names[i], command, &standstill->fds[i]);
	if (!r)
		r = take_csvs(standstill, config);
	if (r)
		return r;
	*ret_standstill = TAKE(standstill);
	return 0;
}
