/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * What shell benchmarks need:
 *
 * measure rows DIR COUNT: writes a CSV of so many rows and its checkpoint (many-rows.h)
 * measure run TEXT COMMAND [ARG...]: runs it with its stdout thrown away, and prints what it took; its exit status
 */

#include "many-rows.h"
#include "scratch.h"

#include <sys/resource.h>
#include <time.h>

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static double seconds(struct timeval tv)
{
	return (double)tv.tv_sec + (double)tv.tv_usec / 1e6;
}

static int run(const char *text, char **command)
{
	double start = now();
	struct rusage usage;
	pid_t pid = fork();
	int status;

	MUST(pid >= 0);
	if (!pid) {
		int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

		if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0)
			_exit(126);
		(void)execvp(command[0], command);
		_exit(127);
	}
	MUST(wait4(pid, &status, 0, &usage) == pid);
	printf("%-44s %7.3f s  %6.3f s CPU  %5.1f MB\n", text, now() - start,
		seconds(usage.ru_utime) + seconds(usage.ru_stime), (double)usage.ru_maxrss / 1024);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "rows")) {
		Random random = random_seeded();

		many_rows_write(&random, argv[2], "maillogsentinel.csv",
			(uint32_t)strtoul(argv[3], NULL, 10), false);
		return 0;
	}
	if (argc > 3 && !strcmp(argv[1], "run"))
		return run(argv[2], argv + 3);
	fprintf(stderr, "measure rows DIR COUNT | run TEXT COMMAND [ARG...]\n");
	return 2;
}
