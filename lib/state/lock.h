/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * One writer at a time. The lock is on the open file (F_OFD_SETLK, fcntl(2)): it ends with the process
 * however that ends. A lock file holds the pid and the command of who has it, and is never
 * unlinked: a file that is unlinked while another waits for it would make two owners.
 */

#include "base/base.h"

#define LOCK_HOLDER_MAX 64

enum { LOCK_HELD = 1 };

/*
 * Takes the lock file at path (made when it is not there, 0600) and writes "PID COMMAND" into it.
 * 0 with the descriptor that holds it (close it to let go); LOCK_HELD with the holder's line in
 * ret_holder; -errno.
 */
int lock_take(const char *path, const char *command, int *ret_fd, char ret_holder[LOCK_HOLDER_MAX]);

/* Locks the file that is open as fd, for as long as it is open. 0, LOCK_HELD, -errno. */
int lock_file(int fd);

/*
 * The process that holds the lock of the file that is open as fd, for a message; 0 when that can't be known (the holder has
 * opened and closed the file once more, or is in another name space of processes).
 */
pid_t lock_file_holder(int fd);

/* Lets go of it while fd stays open. */
void lock_file_release(int fd);
