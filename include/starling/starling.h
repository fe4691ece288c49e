/// All of starling's public face. Include this, link `starling::starling`.
#pragma once

#include "starling/claims.h"
#include "starling/counter.h"
#include "starling/kv.h"
#include "starling/level.h"
#include "starling/locks.h"
#include "starling/members.h"
#include "starling/node.h"
#include "starling/options.h"
#include "starling/ordered_counter.h"
#include "starling/result.h"
#include "starling/statistics.h"
