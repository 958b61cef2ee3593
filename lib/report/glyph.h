/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* How much room a character takes where all are equally wide: a terminal, a mail in plain text. */

#include "base/base.h"

/*
 * 0: it is drawn over the one before; 1; 2: East Asian wide ones and emoji. GLYPH_NONE: it shows nothing by itself, looks like a blank,
 * breaks the line, or changes how or in which direction others are shown.
 */
enum { GLYPH_NONE = -1 };
int glyph_width(uint32_t code_point);
