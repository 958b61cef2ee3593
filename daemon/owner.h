/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Who may write the state: the owner of its directory, which is the user of the service. A command that root runs goes on as that user, so
 * that it leaves nothing behind that the service can't read or replace, and so that nothing which that user may have put there is
 * followed with root's rights.
 */

#include "base/base.h"

/*
 * For root, and when the directory is another user's: the process becomes that user, for good, with the user's groups and those that may
 * read logs (adm, systemd-journal), where they exist. Nothing for other users, and nothing when there is no such
 * directory. 0 or -errno with *ret_why.
 */
int owner_become(const char *state_dir, Why *ret_why);
