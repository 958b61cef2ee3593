/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The database that the configuration names. */

#include "daemon/config.h"
#include "store/sink.h"

/* How long another is waited for who does what we want to do. */
#define DATABASE_WAIT_MS 60000

/*
 * Opens it, with the password from its file. As sink_open(), *ret_why with what it is called; -EINVAL, -EACCES: the password's file isn't
 * right.
 */
int database_open(const Config *config, Sink **ret_sink, Why *ret_why);

/* What it is called, for people: "/var/lib/x.sqlite", "postgresql at db.example.org, maillogsentinel". */
void database_append_name(const Config *config, StrBuf *sb);
