/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ledger-daemon.h"

#include "base/file.h"
#include "base/strbuf.h"

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define STUCK_MS 45000 /* more than the poll in case no event came */
#define REFUSED_MS 500 /* a reload may be refused, as when the log may not be read at that moment */
#define STOP_MS 60000

static const char *const state_names[] = {"down", "run", "extract"};

__attribute__((noreturn)) static void become(
	const Daemon *daemon, const char *config, const char *command)
{
	int fd = open(daemon->said_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);

	if (fd < 0 || dup2(fd, STDERR_FILENO) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ||
		(daemon->uid && (setgroups(0, NULL) < 0 || setgid(daemon->gid) < 0 ||
					setuid(daemon->uid) < 0)))
		_exit(126);
	/* The change of user forgets it. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* A reload may come as soon as it has the name of the daemon. */
	if (!strcmp(command, state_names[DAEMON_RUNS])) {
		sigset_t hangup;

		sigemptyset(&hangup);
		sigaddset(&hangup, SIGHUP);
		(void)sigprocmask(SIG_BLOCK, &hangup, NULL);
	}
	execl(daemon->program, daemon->program, "-c", config, command, (char *)NULL);
	_exit(127);
}

static bool ends_with(const char *name, const char *end)
{
	size_t len = strlen(name);

	return len >= strlen(end) && !strcmp(name + len - strlen(end), end);
}

/* One with which rows come. */
static const char *draw_config(Daemon *daemon)
{
	const char *config;

	do
		config = daemon->configs[random_below(&daemon->random, daemon->config_count)];
	while (ends_with(config, ".bad") || ends_with(config, ".part"));
	return config;
}

/* Puts it in the place of "conf", at once. */
static const char *install_config(const char *config)
{
	_cleanup_strbuf_ StrBuf text = STRBUF_INIT;
	int fd;

	LEDGER_MUST(!file_read(config, 65536, &text));
	fd = open("conf.new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	LEDGER_MUST(fd >= 0 && !file_write_full(fd, text.data, text.len) && !close(fd));
	LEDGER_MUST(!rename("conf.new", "conf"));
	return "conf";
}

/* Whether it has read what it was started with: then it has the lock. */
static bool is_up(const Daemon *daemon)
{
	_cleanup_strbuf_ StrBuf text = STRBUF_INIT;

	return !file_read("state/lock", 4096, &text) &&
	       strtol(strbuf_text(&text), NULL, 10) == daemon->pid;
}

static void reload(Daemon *daemon, const char *config)
{
	if (daemon->state != DAEMON_RUNS || !is_up(daemon))
		return;
	ledger_log("reload %d %s", (int)daemon->pid, config);
	(void)install_config(config);
	LEDGER_MUST(!kill(daemon->pid, SIGHUP));
	daemon->reloading = true;
}

uint32_t daemon_reloads(Daemon *daemon)
{
	char line[4096];

	if (!daemon->said)
		daemon->said = fopen(daemon->said_path, "re");
	while (daemon->said && fgets(line, sizeof(line), daemon->said)) {
		bool reloaded = strstr(line, ": reloaded, generation ");
		bool refused = strstr(line, ": not reloaded, the configuration of before ");

		if (!strchr(line, '\n')) {
			LEDGER_MUST(!fseek(daemon->said, -(long)strlen(line), SEEK_CUR));
			break;
		}
		daemon->reloaded += reloaded;
		daemon->refused += refused;
		daemon->reloading &= !reloaded && !refused;
	}
	if (daemon->said)
		clearerr(daemon->said);
	return daemon->reloaded + daemon->refused;
}

/* One after another, and now and then before the one before is over. */
static void reload_some(Daemon *daemon, uint32_t draw)
{
	if (draw >= daemon->reload_permyriad)
		return;
	(void)daemon_reloads(daemon);
	if (!daemon->reloading || draw < daemon->reload_permyriad / 20)
		reload(daemon,
			daemon->configs[random_below(&daemon->random, daemon->config_count)]);
}

static void start(Daemon *daemon, DaemonState state)
{
	const char *config = draw_config(daemon);

	if (daemon->reload_permyriad)
		config = install_config(config);
	daemon->state = state;
	daemon->starts++;
	daemon->extracts += state == DAEMON_EXTRACTS;
	daemon->pid = fork();
	LEDGER_MUST(daemon->pid >= 0);
	if (!daemon->pid)
		become(daemon, config, state_names[state]);
	ledger_log("start %s %d", state_names[state], (int)daemon->pid);
}

static void start_drawn(Daemon *daemon)
{
	uint32_t draw = random_below(&daemon->random, 100);

	daemon->extracts_left = draw < 20 ? random_below(&daemon->random, 6) : 0;
	start(daemon, draw < 20 ? DAEMON_EXTRACTS : DAEMON_RUNS);
}

/* Its status is what it may be: extract fails while a log is not there or may not be read. */
static void ended(Daemon *daemon, int status, int signal)
{
	bool ok = signal ? (WIFSIGNALED(status) && WTERMSIG(status) == signal) : false;

	ok |= WIFEXITED(status) && !WEXITSTATUS(status) &&
	      (daemon->state == DAEMON_EXTRACTS || signal == SIGTERM);
	ok |= WIFEXITED(status) && WEXITSTATUS(status) == 1 && daemon->state == DAEMON_EXTRACTS;
	if (!ok)
		ledger_fail("%s ended with status %#x%s", state_names[daemon->state],
			(unsigned)status, signal ? " when it was ended" : " by itself");
	ledger_log("end %s %d status %#x", state_names[daemon->state], (int)daemon->pid,
		(unsigned)status);
	daemon->pid = 0;
	daemon->state = DAEMON_DOWN;
	daemon->reloading = false;
}

/* Takes note when it has ended by itself. */
static void reap(Daemon *daemon)
{
	int status;

	if (daemon->state != DAEMON_DOWN && waitpid(daemon->pid, &status, WNOHANG) == daemon->pid)
		ended(daemon, status, 0);
}

static void end(Daemon *daemon, int signal)
{
	uint64_t since = ledger_now_ms();
	int status = 0;

	(void)kill(daemon->pid, signal);
	while (!waitpid(daemon->pid, &status, WNOHANG)) {
		if (ledger_now_ms() - since > STOP_MS)
			ledger_fail("%s does not end", state_names[daemon->state]);
		ledger_sleep_us(200);
	}
	daemon->kills += WIFSIGNALED(status);
	daemon->terms += signal == SIGTERM;
	ended(daemon, status, signal);
}

void daemon_tick(Daemon *daemon)
{
	uint32_t draw = random_below(&daemon->random, 10000);
	uint32_t reload_draw = daemon->reload_permyriad ? random_below(&daemon->random, 10000) : 0;
	uint32_t delay_us = random_below(&daemon->random, 3000);
	uint32_t down =
		random_chance(&daemon->random, 250) ? 1 + random_below(&daemon->random, 6) : 0;

	reap(daemon);
	if (daemon->hold)
		return;
	if (daemon->state == DAEMON_DOWN) {
		if (daemon->down_rotations)
			return;
		if (daemon->extracts_left && daemon->extracts_left--)
			start(daemon, DAEMON_EXTRACTS);
		else
			start_drawn(daemon);
	} else if (draw < daemon->kill_permyriad + daemon->kill_permyriad / 4) {
		ledger_sleep_us(delay_us);
		end(daemon, draw < daemon->kill_permyriad ? SIGKILL : SIGTERM);
		daemon->down_rotations = down;
	} else {
		reload_some(daemon, reload_draw);
	}
}

void daemon_rotated(Daemon *daemon)
{
	if (daemon->state == DAEMON_DOWN && daemon->down_rotations)
		daemon->down_rotations--;
}

void daemon_stop(Daemon *daemon)
{
	reap(daemon);
	if (daemon->state != DAEMON_DOWN)
		end(daemon, SIGTERM);
	daemon->down_rotations = 0;
}

void daemon_hold(Daemon *daemon)
{
	daemon->hold++;
	reap(daemon);
	if (daemon->state == DAEMON_EXTRACTS)
		daemon_stop(daemon);
	if (daemon->state == DAEMON_DOWN)
		start(daemon, DAEMON_RUNS);
	else if (daemon->reload_permyriad)
		reload(daemon, draw_config(daemon));
	daemon->down_rotations = daemon->extracts_left = 0;
}

void daemon_release(Daemon *daemon)
{
	daemon->hold--;
}

uint64_t daemon_counters(const Daemon *daemon, Counters *ret_counters)
{
	_cleanup_checkpoint_ Checkpoint checkpoint = CHECKPOINT_INIT;
	Why why = {""};
	int r = checkpoint_load(daemon->checkpoint_path, &checkpoint, &why);

	if (r < 0)
		ledger_fail("%s: %s", daemon->checkpoint_path, why.text);
	*ret_counters = (Counters){0};
	for (size_t i = 0; i < checkpoint.log_count; i++)
		counters_add(ret_counters, &checkpoint.logs[i].counters);
	return r ? 0 : checkpoint.rows;
}

bool daemon_has_read(const Daemon *daemon, uint64_t lines)
{
	Counters counters;

	(void)daemon_counters(daemon, &counters);
	return counters.lines >= lines;
}

void daemon_wait_for(Daemon *daemon, uint64_t lines, uint64_t rows)
{
	uint64_t began = ledger_now_ms(), moved = began, asked = began;
	uint64_t seen_lines = 0, seen_rows = 0, got;
	Counters counters;

	for (;;) {
		got = daemon_counters(daemon, &counters);
		if (counters.lines >= lines && got >= rows)
			break;
		reap(daemon);
		if (daemon->state == DAEMON_DOWN)
			ledger_fail("the daemon ended by itself");
		if (counters.lines != seen_lines || got != seen_rows)
			moved = ledger_now_ms();
		if (daemon->reload_permyriad && ledger_now_ms() - MAX(moved, asked) > REFUSED_MS) {
			reload(daemon, draw_config(daemon));
			asked = ledger_now_ms();
		}
		if (ledger_now_ms() - moved > STUCK_MS)
			ledger_fail("nothing moves: committed are %" PRIu64 " of %" PRIu64
				    " lines, %" PRIu64 " of %" PRIu64 " rows",
				counters.lines, lines, got, rows);
		seen_lines = counters.lines;
		seen_rows = got;
		ledger_sleep_us(5000);
	}
	daemon->longest_wait_ms = MAX(daemon->longest_wait_ms, ledger_now_ms() - began);
}
