/* mho.h - all that a program calls.
 *
 * A program makes an experiment of a config (mho_experiment_of_yaml); then mho_train() runs and
 * logs it, or a trainer does it piece by piece on the program's own arrays: examples/train.c is
 * such a program. Functions that can fail return mho_err and say why in an mho_errinfo.
 *
 * What authors of models fill in, devices, neurons, rules and all others, is in mho/model/.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_H
#define MHO_H

#include "mho/base.h"
#include "mho/data.h"
#include "mho/device.h"
#include "mho/experiment.h"
#include "mho/report.h"
#include "mho/spice.h"
#include "mho/store.h"
#include "mho/study.h"
#include "mho/train.h"
#include "mho/wire.h"

#endif
