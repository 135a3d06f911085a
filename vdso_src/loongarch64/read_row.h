/* SPDX-License-Identifier: MIT */
/* The reader of a row: the plain one. */
#include "plain_row.h"
