#pragma once

#include <dynamo/with_asio.h>
