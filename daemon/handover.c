/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/handover.h"

typedef enum Stage {
	STAGE_NONE,
	STAGE_WAITS,
	STAGE_HURRIES,
	STAGE_DUE,
} Stage;

struct Handover {
	HandoverCallbacks callbacks;
	LoopTimer *timer;
	Stage stage;
};

static void on_timer(void *userdata)
{
	Handover *handover = userdata;

	if (handover->stage == STAGE_WAITS) {
		handover->stage = STAGE_HURRIES;
		loop_timer_set(handover->timer, HANDOVER_HURRY_MS);
		handover->callbacks.hurry(handover->callbacks.userdata);
		return;
	}
	handover->stage = STAGE_NONE;
	handover->callbacks.due(handover->callbacks.userdata);
}

int handover_new(Loop *loop, const HandoverCallbacks *callbacks, Handover **ret_handover)
{
	_cleanup_(handover_freep) Handover *handover = calloc(1, sizeof(*handover));
	int r;

	if (!handover)
		return -ENOMEM;
	handover->callbacks = *callbacks;
	r = loop_timer_new(loop, on_timer, handover, &handover->timer);
	if (r < 0)
		return r;
	*ret_handover = TAKE(handover);
	return 0;
}

void handover_free(Handover *handover)
{
	if (!handover)
		return;
	loop_timer_free(handover->timer);
	free(handover);
}

void handover_begin(Handover *handover)
{
	handover->stage = STAGE_WAITS;
	loop_timer_set(handover->timer, HANDOVER_DEADLINE_MS);
}

bool handover_goes_on(const Handover *handover)
{
	return handover && handover->stage != STAGE_NONE;
}

bool handover_ended(Handover *handover)
{
	if (!handover_goes_on(handover))
		return false;
	handover->stage = STAGE_DUE;
	/* Not at once: the session is not to be freed while it still runs. */
	loop_timer_set(handover->timer, 0);
	return true;
}

bool handover_cancel(Handover *handover)
{
	bool ended = handover_goes_on(handover) && handover->stage == STAGE_DUE;

	if (!handover)
		return false;
	handover->stage = STAGE_NONE;
	loop_timer_set(handover->timer, -1);
	return ended;
}
