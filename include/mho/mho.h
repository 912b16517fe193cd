/* mho.h - the whole public interface.
 *
 * A program makes an experiment of a config (mho_experiment_of_yaml); then mho_train() runs and
 * logs it, or a trainer does it piece by piece on the program's own arrays: examples/train.c is
 * such a program. Functions that can fail return mho_err and say why in an mho_errinfo.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_H
#define MHO_H

#include "mho/array.h"
#include "mho/base.h"
#include "mho/check.h"
#include "mho/data.h"
#include "mho/device.h"
#include "mho/experiment.h"
#include "mho/network.h"
#include "mho/neuron.h"
#include "mho/num.h"
#include "mho/program.h"
#include "mho/report.h"
#include "mho/rule.h"
#include "mho/settle.h"
#include "mho/spice.h"
#include "mho/store.h"
#include "mho/study.h"
#include "mho/train.h"
#include "mho/variables.h"
#include "mho/wire.h"

#endif
