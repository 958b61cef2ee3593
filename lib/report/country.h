/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Names of countries. */

#include "base/base.h"

/* The English name, as short as people say it, of a country by its two capital letters of ISO 3166-1; also of EU and XK. NULL: there is none. */
const char *country_name(Span code);
