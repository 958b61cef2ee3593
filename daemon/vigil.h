/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Notices that one of a few files was made, replaced, written or taken away: by what stat(2) says of them, looked at whenever inotify(7)
 * tells of something near them (source/watch), and whenever the owner asks. Where nothing can be watched it says so, and asking must do.
 */

#include "daemon/loop.h"

#define VIGIL_FILES_MAX 8

typedef struct Vigil Vigil;

/*
 * What is changed after this call is noticed; something() is called, from the loop, when it may be that something is. The paths are
 * borrowed, the array is not. 0 or -ENOMEM.
 */
int vigil_new(Loop *loop, const char *const *paths, unsigned count, LoopFunction something,
	void *userdata, Vigil **ret_vigil);
void vigil_free(Vigil *vigil);
DEFINE_CLEANUP(Vigil *, vigil_freep, vigil_free)

/* From the next look on the files are those, as many as before; the paths are borrowed as those of before. */
void vigil_name(Vigil *vigil, const char *const *paths);

/*
 * The files that are not as they were when this was called last: bit 0 is the first one. Those of them that are the same file with other
 * content, not another one in its place, are in *ret_written.
 */
unsigned vigil_take_changes(Vigil *vigil, unsigned *ret_written);

/* Whether the file was there then (or could not be looked at). */
bool vigil_is_there(const Vigil *vigil, unsigned file);
