/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The file of `anonymize --rules`: the same syntax as the configuration's, and mistakes are told in the same way.
 *
 *     replace: { NAME = "PATTERN"; ... };
 *     keep: { words = [ ... ]; word_patterns = [ ... ]; hosts = [ ... ]; networks = [ ... ]; };
 */

#include "anonymize/rules.h"

/* 0; -EINVAL when the file has mistakes, other -errno when it can't be read: *ret_errors has a line for each. */
int config_rules_load(const char *path, Rules **ret_rules, StrBuf *ret_errors);
