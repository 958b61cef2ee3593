/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Waiting for others, with an end: by time, or because this process was asked to end. */

#include "base/base.h"

/* CLOCK_MONOTONIC. */
uint64_t patience_now_ms(void);

/*
 * Whether SIGINT, SIGTERM or SIGHUP is pending: the caller keeps them blocked, so they wait until
 * they are looked at.
 */
bool patience_interrupted(void);

/*
 * Until one of poll(2)'s events on fd, or an error there: 0, -ETIMEDOUT, -EINTR
 * (patience_interrupted()) or -errno.
 */
int patience_poll(int fd, short events, uint64_t until_ms);
