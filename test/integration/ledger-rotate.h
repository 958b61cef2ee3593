/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Rotates the log under the writer and the daemon in every way that is known. A manner (how rotated files are called, whether
 * and when they are compressed, by renaming or by copying and truncating) is kept for some rotations, as long as a
 * configuration lives; some things happen now and then. Between the steps of a rotation the writer writes and the
 * daemon is killed and started. What the daemon has not read is never removed: it may wait for that.
 */

#include "ledger-daemon.h"
#include "ledger-writer.h"

#define ROTATED_MAX 40

typedef enum Compression {
	COMPRESS_NONE,
	COMPRESS_GZ,
	COMPRESS_XZ,
	COMPRESS_ZST,
} Compression;

typedef struct RotatedFile {
	bool dated; /* else it has a number, counted from the newest */
	char suffix[32];
	Compression compressed;
	bool closed;        /* the writer writes on into the next one */
	uint64_t last_line; /* then: how many were written up to its end */
} RotatedFile;

typedef enum Naming {
	NAMING_NUMBERED,
	NAMING_DATED,
	NAMING_STAMPED,
	NAMING_LINKED, /* the log is a symbolic link to a dated file */
	NAMING_COUNT,
} Naming;

typedef struct Rotator {
	Random random;
	Writer *writer;
	Daemon *daemon;
	char path[32];                  /* of the log */
	RotatedFile files[ROTATED_MAX]; /* oldest first */
	size_t file_count;

	/* the manner, and how many rotations it lasts */
	uint32_t lasts;
	Naming naming;
	Compression compression;
	bool delayed; /* a file is compressed only in the rotation after its own */
	bool copy;    /* and truncate */
	bool no_append;

	bool linked; /* the log is a symbolic link, to the file with this suffix */
	char linked_suffix[32];
	uint32_t day; /* of the last date that was given */
	pid_t compressor;
	size_t compressing; /* the file that it reads */
	uint32_t lines_max; /* between two steps */
	uint32_t rotations, lost_warnings, inodes_reused;
	uint32_t counts[16]; /* of each kind */
} Rotator;

void rotator_init(
	Rotator *rotator, Writer *writer, Daemon *daemon, uint64_t seed, uint32_t lines_max);

/* One rotation, or two in a row. */
void rotator_next(Rotator *rotator);

/* Waits until what runs beside is done. */
void rotator_done(Rotator *rotator);

/* The kinds, each with how often it was done, for people. */
void rotator_print(const Rotator *rotator);
