#include "tests/differential/redis_grammar.h"

namespace starling {
namespace {

constexpr std::string_view kCommon = R"(
key      = "k1" | "k2" | "k3" | "k4" | "k5" | "s1" | "s2" | "" | "a*[b]" | "\x00\xff\r\n"
value    = 4: number | 2: text | float
text     = "" | "a" | "hello world" | "ohmytext" | "mynewtext" | "\x00\xff\r\n" | ~50 | ~3
number   = "0" | "1" | "-1" | "10" | "255" | "9999" | "10000" | #-1000..1000 | edge
edge     = "9223372036854775807" | "-9223372036854775808" | "9223372036854775806" | notint
notint   = "9223372036854775808" | "-9223372036854775809" | "00" | "-0" | "+5" | " 5" | "5 " | "1x" | "" | "0x10"
float    = "1.5" | "-0.25" | "0.1" | "1e3" | "3.0e-2" | "10.50" | ".5" | "5." | "-.5" | "1e-17" | oddfloat
oddfloat = "inf" | "-inf" | "nan" | "1e400" | "1e5000" | "0x1p3" | " 1" | "1 " | "" | "abc" | "1e30" | "1e-20"
integer  = 4: number | edge | notint | float
index    = 5: #-12..12 | "0" | "-1" | edge
seconds  = 6: #1000..900000 | "100" | badtime
seconds  = "9223372036854775807" | "9223372036854775"
millis   = 6: #1000000..900000000 | "100000" | badtime | "9223372036854775807"
unixs    = 5: @s+100000 | @s+200000 | @s-100 | badtime | "9223372036854775807"
unixms   = 5: @ms+100000000 | @ms+200000000 | @ms-100000 | badtime
badtime  = "0" | "-1" | "-9223372036854775808" | "abc" | "" | "1.5"
junk     = "foo" | "" | "NX" | "EX" | "10"
)";

constexpr std::string_view kStrings = R"(
command  = 10: SET key value setopt* | 10: GET key | 3: GETEX key getexopt* | 2: GETDEL key
command  = 4: GETSET key value | 3: MGET key+ | 3: MSET pair+ | 2: MSETNX pair+ | MSET key value junk
command  = 4: APPEND key value | 2: STRLEN key | 3: GETRANGE key index index | SUBSTR key index index
command  = 3: SETRANGE key offset value | 6: INCR key | 4: INCRBY key integer | 4: DECR key
command  = 4: DECRBY key integer | 5: INCRBYFLOAT key float | 2: INCRBYFLOAT key smallint
command  = 2: SETEX key seconds value | 2: PSETEX key millis value | 3: SETNX key value
command  = 2: LCS key key lcsopt*
smallint = 4: #-1000..1000 | "00" | "-0" | "+5" | "5 " | "0x10"
pair     = key value
offset   = 6: #0..30 | "-1" | "536870912" | "9223372036854775807" | notint
setopt   = NX | XX | 2: GET | KEEPTTL | EX seconds | PX millis | EXAT unixs | PXAT unixms | badopt
getexopt = PERSIST | EX seconds | PX millis | EXAT unixs | PXAT unixms | badopt
badopt   = "foo" | EX | PERSIST | KEEPTTL | PX | "" | NX
lcsopt   = LEN | 2: IDX | WITHMATCHLEN | MINMATCHLEN index | "foo" | MINMATCHLEN
)";

constexpr std::string_view kKeys = R"(
command  = 4: DEL key+ | UNLINK key+ | 2: EXISTS key+ | TOUCH key+ | 3: TYPE key
command  = 3: EXPIRE key seconds expopt* | 3: PEXPIRE key millis expopt* | EXPIRE key "-5" | PEXPIRE key "-5" expopt
command  = 3: EXPIREAT key unixs expopt* | 3: PEXPIREAT key unixms expopt*
command  = 2: TTL key | 2: PTTL key | 2: EXPIRETIME key | 2: PEXPIRETIME key | 2: PERSIST key
command  = 3: RENAME key key | 3: RENAMENX key key | 3: COPY key key copyopt* | 2: MOVE key database
command  = 2: KEYS pattern | 2: SCAN cursor scanopt* | RANDOMKEY | 2: DBSIZE | FLUSHDB flushopt?
command  = OBJECT objectopt key | OBJECT "foo" key | OBJECT ENCODING | OBJECT
expopt   = NX | XX | 2: GT | 2: LT | "foo" | ""
copyopt  = REPLACE | DB database | "foo" | DB
database = 8: #0..2 | "15" | "16" | "-1" | "abc" | "" | "99999999999"
pattern  = 3: "*" | "k*" | "k?" | "[ks][12]" | "[^k]*" | "k[2-4]" | "k[4-2]" | "[k" | "a\\*\\[b]" | "k\\" | "" | "**" | "?*1" | "[\\k]1" | "*\xff*" | "[k-"
cursor   = 8: "0" | "5" | "-1" | "abc" | "" | " 0" | "99999999999999999999" | "17179869184"
scanopt  = MATCH pattern | COUNT count | TYPE type | badscan
badscan  = MATCH | COUNT | TYPE | "foo"
count    = 4: #1..20 | "0" | "-1" | "9223372036854775807" | "abc"
type     = "string" | "set" | "SET" | "hash" | "foo" | ""
flushopt = ASYNC | SYNC | "foo"
objectopt = 2: ENCODING | REFCOUNT | IDLETIME | FREQ
)";

constexpr std::string_view kSets = R"(
command  = 12: SADD setkey member+ | 4: SREM setkey member+ | 3: SMEMBERS setkey | 3: SCARD setkey
command  = 3: SISMEMBER setkey member | 3: SMISMEMBER setkey member+ | 3: SPOP setkey popcount?
command  = 3: SRANDMEMBER setkey randcount? | 2: SSCAN setkey cursor sscanopt* | SPOP setkey "1" "2"
command  = 2: SMOVE setkey setkey member | 2: SINTER setkey+ | 2: SUNION setkey+ | 2: SDIFF setkey+
command  = SINTERSTORE anyset setkey+ | SUNIONSTORE anyset setkey+ | SDIFFSTORE anyset setkey+
command  = SINTERCARD "1" setkey cardopt* | 2: SINTERCARD "2" setkey setkey cardopt* | SINTERCARD numkeys setkey+ cardopt*
command  = SADD setkey member{100..140} | SADD setkey bigint{100..300} | SREM setkey member{20..60} | OBJECT ENCODING setkey
cardopt  = 4: LIMIT limit | LIMIT | "foo"
limit    = 4: #0..5 | "-1" | "abc" | "100"
numkeys  = 3: #1..3 | "0" | "-1" | "abc" | "9223372036854775807" | ""
bigint   = #1..100000
anyset   = 6: setkey | key
setkey   = 6: "s1" | 6: "s2" | 4: "s3" | key
key      = "s3"
member   = 8: #1..40 | "a" | "b" | "c" | "member" | "" | "\x00\r\n" | ~70 | edge
popcount = 6: #0..6 | "-1" | "abc" | "100" | "9223372036854775808"
randcount = 6: #-6..6 | "100" | "-9223372036854775808" | "abc" | ""
sscanopt = MATCH pattern | COUNT count | TYPE type | "foo" | MATCH "*1*"
)";

constexpr std::string_view kHashes = R"(
command  = 8: HSET hkey fieldvalue+ | HSET hkey fieldvalue{60..80} | HSET hkey field ~65 | 2: HMSET hkey fieldvalue+
command  = 4: HSETNX hkey field hvalue | 5: HGET hkey field | 3: HMGET hkey field+ | 6: HDEL hkey field+ | HDEL hkey field{30..60}
command  = 3: HEXISTS hkey field | 3: HLEN hkey | 2: HSTRLEN hkey field | 2: HGETALL hkey | HKEYS hkey | HVALS hkey
command  = 2: HRANDFIELD hkey | 3: HRANDFIELD hkey randcount | 3: HRANDFIELD hkey randcount WITHVALUES
command  = HRANDFIELD hkey randcount "foo" | HRANDFIELD hkey randcount WITHVALUES "x" | HRANDFIELD hkey "9223372036854775807" WITHVALUES
command  = 2: HSCAN hkey cursor sscanopt* | HSET hkey field | HMSET hkey field value field | 2: DEL hkey
hkey     = 12: "h1" | 6: "h2" | key
key      = "h1" | "h2"
fieldvalue = field hvalue
field    = 8: #1..60 | "a" | "b" | "name" | "" | "\x00\r\n" | ~70 | float
hvalue   = 3: number | float | text
)";

constexpr std::string_view kConnection = R"(
command  = 3: SELECT database | PING text? | ECHO text | PING text text
command  = "nosuchcommand" text | GET | SET key | "" | "get\r\n" "\r\n" | SADD setkey | SCAN | MSET key
)";

constexpr std::string_view kServer = R"(
command  = 2: HELLO protocol helloopt* | RESET | CLIENT clientcmd | AUTH text text?
command  = COMMAND GETKEYS keyscmd | COMMAND INFO "get" "nosuch" | CONFIG configcmd | TIME | LASTSAVE
command  = MEMORY USAGE key memoryopt* | CLIENT | CONFIG | MEMORY "foo"
protocol = 2: "2" | 4: "3" | "1" | "4" | "abc" | ""
helloopt = SETNAME name | "foo" | SETNAME | AUTH "default" "wrong"
clientcmd = 2: SETNAME name | 2: GETNAME | GETNAME | REPLY "foo" | SETNAME | "foo" | KILL | KILL ID "abc" | UNPAUSE | PAUSE "abc"
clientcmd = NO-EVICT onoff | GETNAME text | KILL "1.2.3.4:5"
name     = "conn" | "" | "a b" | "a\r\nb" | "name-2"
onoff    = ON | OFF | "foo"
keyscmd  = SINTERCARD numkeys setkey+ | GET key | MSET pair+ | DEL key+ | PING | SET key | "nosuch" | COPY key key | SCAN "0" | OBJECT ENCODING key
configcmd = GET "nosuch" | SET "nosuch" "1" | GET | SET "nosuch" | RESETSTAT | "foo" | SET "a" "b" "c"
memoryopt = SAMPLES "5" | SAMPLES "abc" | "foo" | SAMPLES "-1"
)";

constexpr std::string_view kFamilies[] = {kCommon, kStrings,    kKeys,  kSets,
                                          kHashes, kConnection, kServer};

}  // namespace

std::span<const std::string_view> RedisGrammar() { return kFamilies; }

}  // namespace starling
