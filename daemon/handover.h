/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * How long a reload waits until the session that is to be replaced has ended by itself, where what waits for a name has to come to
 * its row first. After HANDOVER_DEADLINE_MS it is to hurry, and HANDOVER_HURRY_MS later it has had its time.
 */

#include "daemon/loop.h"

#define HANDOVER_DEADLINE_MS 10000
#define HANDOVER_HURRY_MS 2000

typedef struct Handover Handover;

typedef struct HandoverCallbacks {
	void (*hurry)(void *userdata); /* nothing is to be waited for any more */
	void (*due)(void *userdata);   /* it has ended, or had its time; from the loop */
	void *userdata;
} HandoverCallbacks;

/* 0 or -ENOMEM. */
int handover_new(Loop *loop, const HandoverCallbacks *callbacks, Handover **ret_handover);
void handover_free(Handover *handover);
DEFINE_CLEANUP(Handover *, handover_freep, handover_free)

/* The session was told to end. */
void handover_begin(Handover *handover);
/* From there until due is called. Not where there is none (NULL), in all that follows. */
bool handover_goes_on(const Handover *handover);
/* The session has ended, well or not. Whether that is for the handover, which goes on. */
bool handover_ended(Handover *handover);
/* There will be no other session: due is not called any more. Whether this one has ended. */
bool handover_cancel(Handover *handover);
