/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The owner that rdns wants, with poll(): for the tests and the benchmark. shift_ms moves its
 * clock, so that a test of an hour needs no hour.
 */

#include <poll.h>

#include "enrich/rdns.h"

typedef struct RdnsOwner {
	Rdns *rdns;
	struct pollfd fds[64];
	nfds_t fds_count;
	unsigned answered;  /* calls */
	unsigned forgotten; /* descriptors */
	uint64_t shift_ms;
	unsigned turns;
} RdnsOwner;

static inline uint64_t rdns_owner_now(const RdnsOwner *owner)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000 + owner->shift_ms;
}

static inline void rdns_owner_watch(void *userdata, int fd, unsigned events)
{
	RdnsOwner *owner = userdata;
	nfds_t i = 0;

	while (i < owner->fds_count && owner->fds[i].fd != fd)
		i++;
	if (!events) {
		if (i < owner->fds_count) {
			owner->fds[i] = owner->fds[--owner->fds_count];
			owner->forgotten++;
		}
		return;
	}
	if (i == owner->fds_count) {
		if (i == ARRAY_SIZE(owner->fds))
			return;
		owner->fds_count++;
	}
	owner->fds[i] = (struct pollfd){
		.fd = fd,
		.events = (short)((events & RDNS_READ ? POLLIN : 0) |
				  (events & RDNS_WRITE ? POLLOUT : 0)),
	};
}

static inline void rdns_owner_answered(void *userdata)
{
	((RdnsOwner *)userdata)->answered++;
}

static inline RdnsCallbacks rdns_owner_callbacks(RdnsOwner *owner)
{
	return (RdnsCallbacks){rdns_owner_watch, rdns_owner_answered, owner};
}

/* Waits for one round of events, at most limit_ms, and hands them over. */
static inline void rdns_owner_turn(RdnsOwner *owner, int limit_ms)
{
	int64_t timeout = rdns_timeout(owner->rdns, rdns_owner_now(owner));
	struct pollfd fds[ARRAY_SIZE(owner->fds)];
	nfds_t count = owner->fds_count;
	bool due = timeout >= 0 && timeout <= limit_ms;
	int n;

	memcpy(fds, owner->fds, sizeof(fds));
	n = poll(fds, count, due ? (int)timeout : limit_ms);
	owner->turns++;
	for (nfds_t i = 0; n > 0 && i < count; i++) {
		unsigned events = (fds[i].revents & (POLLIN | POLLERR | POLLHUP) ? RDNS_READ : 0) |
				  (fds[i].revents & POLLOUT ? RDNS_WRITE : 0);

		if (events)
			rdns_dispatch(owner->rdns, fds[i].fd, events, rdns_owner_now(owner));
	}
	if (n == 0 && due)
		rdns_dispatch(owner->rdns, -1, 0, rdns_owner_now(owner));
}

/* Until the entry is answered, at most limit_ms; true when it is. */
static inline bool rdns_owner_wait(RdnsOwner *owner, const RdnsEntry *entry, unsigned limit_ms)
{
	uint64_t end = rdns_owner_now(owner) + limit_ms;

	while (rdns_entry_status(entry) == RDNS_PENDING) {
		uint64_t now = rdns_owner_now(owner);

		if (now >= end)
			return false;
		rdns_owner_turn(owner, (int)(end - now));
	}
	return true;
}
