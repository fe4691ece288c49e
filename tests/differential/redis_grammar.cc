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
type     = "string" | "set" | "SET" | "hash" | "zset" | "list" | "stream" | "foo" | ""
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
command  = 5: HINCRBY hkey field integer | 3: HINCRBYFLOAT hkey field float | 2: HINCRBYFLOAT hkey field smallint
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

constexpr std::string_view kSortedSets = R"(
command  = 8: ZADD zkey zaddopt* scored+ | 2: ZADD zkey zaddopt* score zmember | ZADD zkey zaddopt* | ZADD zkey scored{50..90} | ZADD zkey score ~65
command  = 3: ZADD zkey zaddopt* INCR smallscore zmember | 4: ZINCRBY zkey smallscore zmember | ZINCRBY zkey score zmember
command  = 4: ZREM zkey zmember+ | ZREM zkey zmember{30..60} | 3: ZSCORE zkey zmember | 2: ZMSCORE zkey zmember+ | 2: ZCARD zkey
command  = 2: ZRANK zkey zmember | 2: ZREVRANK zkey zmember | 3: ZCOUNT zkey bound bound | 2: ZLEXCOUNT lexkey lexbound lexbound
command  = 4: ZRANGE zkey index index rangeopt* | 4: ZRANGE zkey bound bound BYSCORE rangeopt* | 4: ZRANGE lexkey lexbound lexbound BYLEX lexopt*
command  = 2: ZRANGEBYSCORE zkey bound bound byopt* | 2: ZREVRANGEBYSCORE zkey bound bound byopt* | ZREVRANGE zkey index index revopt*
command  = 2: ZRANGEBYLEX lexkey lexbound lexbound lexlimit* | 2: ZREVRANGEBYLEX lexkey lexbound lexbound lexlimit*
command  = 2: ZRANGESTORE ztarget zkey index index rangeopt* | 2: ZRANGESTORE ztarget zkey bound bound BYSCORE rangeopt* | 2: ZRANGESTORE lexkey lexkey lexbound lexbound BYLEX lexopt*
command  = 3: ZPOPMIN zkey zcount? | 3: ZPOPMAX zkey zcount? | ZPOPMIN zkey zcount "1" | 2: ZMPOP "1" zkey minmax popopt* | 2: ZMPOP "2" zkey zkey minmax popopt* | ZMPOP numkeys zkey+ minmax popopt*
command  = 2: ZREMRANGEBYSCORE zkey bound bound | 2: ZREMRANGEBYRANK zkey index index | 2: ZREMRANGEBYLEX lexkey lexbound lexbound
command  = 2: ZUNION "1" zsource unionopt* | 3: ZUNION "2" zsource zsource unionopt* | 3: ZINTER "2" zsource zsource unionopt* | 2: ZDIFF "2" zsource zsource withscores*
command  = ZUNION numkeys zsource+ unionopt* | ZINTER numkeys zsource+ unionopt* | ZDIFF numkeys zsource+ withscores* | ZUNION "3" zsource zsource zsource unionopt*
command  = 2: ZUNIONSTORE ztarget "2" zsource zsource storeopt* | 2: ZINTERSTORE ztarget "2" zsource zsource storeopt* | ZDIFFSTORE ztarget "2" zsource zsource storeopt*
command  = ZUNIONSTORE ztarget numkeys zsource+ storeopt* | ZINTERSTORE ztarget numkeys zsource+ storeopt* | ZDIFFSTORE ztarget numkeys zsource+
command  = 2: ZINTERCARD "2" zsource zsource cardopt* | ZINTERCARD numkeys zsource+ cardopt*
command  = 2: ZRANDMEMBER zkey | 2: ZRANDMEMBER zkey randcount | 2: ZRANDMEMBER zkey randcount WITHSCORES | ZRANDMEMBER zkey randcount "foo" | ZRANDMEMBER zkey "9223372036854775807" WITHSCORES
command  = 2: ZSCAN zkey cursor sscanopt* | DEL zkey | DEL lexkey
command  = 5: ZADD lexkey "0" lexmember | ZADD lexkey lexscored{20..90} | 2: ZREM lexkey lexmember+ | ZADD zkey intscored{100..140}
zkey     = 12: "z1" | 8: "z2" | 3: "z3" | key
key      = "z1" | "z2" | "z3"
ztarget  = 4: "z3" | "z2" | key
zsource  = 6: "z1" | 6: "z2" | 3: "z3" | 3: setkey | key
lexkey   = 9: "lex1" | 3: "lex2"
scored   = score zmember
intscored = #-20..20 zmember
lexscored = "0" lexmember
zmember  = 8: #1..60 | "a" | "b" | "member" | "" | "\x00\r\n" | ~70
lexmember = 8: #1..40 | "a" | "ab" | "abc" | "b" | "" | "\x00\r\n" | "\xff" | ~70
score    = 8: #-10..10 | 2: smallscore | "inf" | "-inf" | "+inf" | "1e300" | "1e-300" | "-0" | "0.1" | "3.14159265358979" | #-9007199254740993..9007199254740993 | oddscore
smallscore = 4: #-10..10 | "0.5" | "-0.25" | "1.5" | "0.1" | "0.7"
oddscore = "nan" | "abc" | "" | " 1" | "1 " | "0x10" | "1e400" | "(1" | "+5" | "5." | "\x00"
bound    = 6: #-10..10 | 2: exclusive | 2: "-inf" | 2: "+inf" | "inf" | "(inf" | "(-inf" | "0.5" | "(0.5" | "" | "(" | "abc" | "nan" | "1e400" | " 1"
exclusive = "(0" | "(1" | "(-3" | "(5" | "(9"
lexbound = 3: "-" | 3: "+" | "[a" | "(a" | "[1" | "(1" | "[2" | "(3" | "[" | "(" | "[ab" | "(b" | "[35" | "(\xff" | "a" | "" | "-x" | "+1" | "1"
zaddopt  = 2: NX | 2: XX | 2: GT | 2: LT | 2: CH | "foo"
rangeopt = 4: WITHSCORES | 3: REV | 2: BYSCORE | 3: LIMIT offcount | LIMIT "1" | "foo"
byopt    = 4: WITHSCORES | 4: LIMIT offcount | REV | "foo"
revopt   = 3: WITHSCORES | LIMIT offcount | REV
lexopt   = 3: REV | 3: LIMIT offcount | WITHSCORES | "foo"
lexlimit = 5: LIMIT offcount | WITHSCORES | "foo"
offcount = 6: few few | few "-1" | "-1" few | "abc" "1" | "1" "abc"
few      = #0..8
minmax   = 4: MIN | 4: MAX | "foo"
popopt   = 4: COUNT popnumber | COUNT | "foo"
popnumber = 5: #1..6 | "0" | "-1" | "abc" | "1000"
zcount   = 6: #0..6 | "-1" | "abc" | "100" | "9223372036854775808"
unionopt = 3: storeopt | 2: WITHSCORES
storeopt = 2: WEIGHTS weight weight | WEIGHTS weight | WEIGHTS weight weight weight | 4: AGGREGATE aggregate | "foo" | AGGREGATE
weight   = 5: #-3..3 | "0.5" | "inf" | "abc" | "-inf" | "nan"
aggregate = 3: SUM | 3: MIN | 3: MAX | "foo"
withscores = 5: WITHSCORES | "foo" | LIMIT "1"
)";

constexpr std::string_view kLists = R"(
command  = 6: LPUSH lkey lvalue+ | 6: RPUSH lkey lvalue+ | RPUSH lkey lvalue{60..150} | LPUSH lkey ~65 | 2: LPUSHX lkey lvalue+ | 2: RPUSHX lkey lvalue+
command  = 3: LPOP lkey popcount? | 3: RPOP lkey popcount? | LPOP lkey "1" "2" | 2: LLEN lkey | 3: LRANGE lkey index index
command  = 3: LINDEX lkey index | 4: LSET lkey index lvalue | 5: LINSERT lkey beforeafter lvalue lvalue | 3: LREM lkey lremcount lvalue
command  = 2: LTRIM lkey index index | 4: LPOS lkey lvalue lposopt* | 4: LMOVE lkey lkey leftright leftright | 2: RPOPLPUSH lkey lkey
command  = 2: LMPOP "1" lkey leftright popopt* | 2: LMPOP "2" lkey lkey leftright popopt* | LMPOP numkeys lkey+ leftright popopt*
command  = OBJECT ENCODING lkey | DEL lkey
lkey     = 12: "l1" | 6: "l2" | key
key      = "l1" | "l2"
lvalue   = 8: #1..8 | "a" | "b" | "c" | 2: value
leftright = 5: LEFT | 5: RIGHT | "foo"
beforeafter = 5: BEFORE | 5: AFTER | "foo"
lremcount = 6: #-4..4 | "0" | "abc" | "-9223372036854775808" | "100"
lposopt  = 3: RANK rank | 3: COUNT zcount | 3: MAXLEN zcount | RANK | "foo"
rank     = 6: #-4..4 | "-9223372036854775807" | "abc" | "0"
)";

constexpr std::string_view kSorting = R"(
command  = 4: SORT sortkey sortopt* | 2: SORT sortkey ALPHA sortopt* | 2: SORT_RO sortkey sortopt* | 2: SORT sortkey STORE sorttarget sortopt*
command  = 3: SORT sortkey BY bypattern numericopt* | 2: SORT sortlist ALPHA BY bypattern getopt* | SORT ordered BY "nosort" numericopt*
command  = SORT lkey sortopt* | SORT zkey ALPHA sortopt* | SORT setkey ALPHA sortopt* | SORT sortkey BY "nosort" STORE sorttarget
command  = 4: RPUSH sortlist sortvalue+ | 2: SADD sortset sortvalue+ | 2: ZADD sortzset sortvalue sortvalue | SET weightkey sortvalue | HSET fieldkey "f" sortvalue | DEL sortkey
sortkey  = 4: sortlist | 2: sortset | 2: sortzset | key
sortlist = "sort1"
sortset  = "sort2"
sortzset = "sort3"
ordered  = sortlist | sortzset
key      = "sort1" | "sort2" | "sort3" | "w1"
sorttarget = 3: sortlist | key
sortvalue = 12: #1..9 | "1.5" | 2: #-100..100 | "x"
weightkey = "w1" | "w2" | "w3" | "w4" | "w5" | "w6" | "w7"
fieldkey = "o1" | "o2" | "o3" | "o4" | "o5"
sortopt  = 4: numericopt | 2: ALPHA | LIMIT "1" | "foo" | BY | STORE
numericopt = ASC | 2: DESC | 2: LIMIT offcount | 2: getopt
getopt   = GET getpattern
bypattern = 4: "w*" | 2: "o*->f" | "nosuch*"
getpattern = 3: "w*" | 3: "#" | 3: "o*->f" | "o*->g" | "w1" | "o*->" | "*" | "w*x"
)";

// The payloads are what redis-server 7.0 dumped (numbers, LZF, quicklist, listpacks, intset,
// plain), and the forms before it (ziplists, scores as text), made by hand.
constexpr std::string_view kDumps = R"(
command  = 3: DUMP key | DUMP lkey | DUMP zkey | DUMP hkey | DUMP setkey | 4: RESTORE key restorettl payload restoreopt*
command  = RESTORE key "0" badpayload REPLACE | RESTORE key restorettl payload
restorettl = 6: "0" | 2: #1000000..9000000 | "-1" | "abc" | "1.5"
restoreopt = 5: REPLACE | ABSTTL | IDLETIME idle | FREQ idle | "foo" | IDLETIME | FREQ
idle     = 4: #0..300 | "-1" | "abc"
badpayload = "" | "abc" | ~40 | "\x10\x13\x13\x00\x00\x00\x04\x00\x81f\x02\x81v\x02\x81g\x02\xdf\xb3\x02\xff\x0a\x002\x8d\x3a\xd2\xaf\xfd\xa4\x00" | "\x02\xc3\x1e\x40h\x16h\x00\x00\x00\x05\x00\x81a\x02\x81b\x02\xdf\xfb\x02\xf2p\x11\x01\x04\xe0\x50x\xe0\x46\x00\x01\x52\xff\x0a\x00\x3d\x8e\x03l\xb4\x90\x95\xfa"
payload  = "\x00\xc190\x0a\x00\x9d\x94\xea\x27\x93\xfc\x08\xb9"
payload  = "\x00\x05hello\x0a\x00cr\xdfve4\x20\x0a"
payload  = "\x00\xc3\x09\x40d\x01aa\xe0\x57\x00\x01aa\x0a\x00\xe8\xa3\xb5\x07\xb0m\xf2q"
payload  = "\x12\x01\x02\xc3\x1e\x40h\x16h\x00\x00\x00\x05\x00\x81a\x02\x81b\x02\xdf\xfb\x02\xf2p\x11\x01\x04\xe0\x50x\xe0\x46\x00\x01\x52\xff\x0a\x00\x3d\x8e\x03l\xb4\x90\x95\xfa"
payload  = "\x10\x13\x13\x00\x00\x00\x04\x00\x81f\x02\x81v\x02\x81g\x02\xdf\xb3\x02\xff\x0a\x002\x8d\x3a\xd2\xaf\xfd\xa4\xe9"
payload  = "\x11\x1d\x1d\x00\x00\x00\x06\x00\x81b\x02\xdf\xfe\x02\x81a\x02\x831\x2e5\x04\x81c\x02\x83inf\x04\xff\x0a\x00s\x56\xadl\xc2\x48\x4a\xd0"
payload  = "\x0b\x14\x04\x00\x00\x00\x03\x00\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00p\x11\x01\x00\x0a\x00\x85\xd5\xc1\x06\x5b\x1d\xd0\x55"
payload  = "\x02\x03\x02ab\x01a\x01b\x0a\x00\x5b\x1e\x14\xee\xa2\x83\xda\x0d"
payload  = "\x05\x01\xc3\x09\x40\x46\x01zz\xe09\x00\x01zz\x00\x00\x00\x00\x00\x00\xd0\x3f\x0a\x00\xf0\x1f\x5e\x55\x5f\x8du\xb8"
payload  = "\x04\x01\x01f\xc3\x09\x40\x46\x01yy\xe09\x00\x01yy\x0a\x00\xee\x85\xcb\x01\xa5\xbb\xf4\x09"
payload  = "\x0a\x41\x9a\x9a\x01\x00\x00\x8b\x01\x00\x00\x06\x00\x00\x01a\x03\xf6\x02\xc0\x18\xfc\x04\x40\x46xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\x49\x41\x2cyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\xfe\x2f\x01\x00\x00\xe0\x00\x10\xa5\xd4\xe8\x00\x00\x00\xff\x06\x00p\x2d\x2cq\xd3\x19\x83t"
payload  = "\x0d\x16\x16\x00\x00\x00\x12\x00\x00\x00\x04\x00\x00\x01f\x03\xf6\x02\x01g\x03\xfe\xb3\xff\x06\x007\x98\xff\x94\x51\x05\xec\x58"
payload  = "\x0c\x19\x19\x00\x00\x00\x13\x00\x00\x00\x04\x00\x00\x01b\x03\xfe\xfe\x03\x01a\x03\x031\x2e5\xff\x06\x00\x9b\x13m\xff\x20c\x43\xf5"
payload  = "\x0e\x02\x11\x11\x00\x00\x00\x0d\x00\x00\x00\x02\x00\x00\x01a\x03\x01b\xff\x0d\x0d\x00\x00\x00\x0a\x00\x00\x00\x01\x00\x00\xf4\xff\x06\x00i8\x1e\xa9\x2c\x1ak\xd4"
payload  = "\x03\x02\x01m\x031\x2e5\x01n\xfe\x06\x00\x80\x2a\xd9\x17\x90\x1c\x5f\xc4"
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
keyscmd  = SORT key sortopt* | LMPOP numkeys lkey+ LEFT | SINTERCARD numkeys setkey+ | ZUNION numkeys zkey+ | ZINTERSTORE ztarget numkeys zkey+ | ZMPOP numkeys zkey+ MIN | GET key | MSET pair+ | DEL key+ | PING | SET key | "nosuch" | COPY key key | SCAN "0" | OBJECT ENCODING key
configcmd = GET "nosuch" | SET "nosuch" "1" | GET | SET "nosuch" | RESETSTAT | "foo" | SET "a" "b" "c"
memoryopt = SAMPLES "5" | SAMPLES "abc" | "foo" | SAMPLES "-1"
)";

/// On a connection where MULTI stands, `queued` takes the place of `command`: what answers the same
/// on both servers wherever it stands.
constexpr std::string_view kTransactions = R"(
command  = 8: MULTI | 6: WATCH key+ | UNWATCH | EXEC | DISCARD | MULTI "foo" | WATCH
queued   = 8: EXEC | 2: DISCARD | MULTI | WATCH key | UNWATCH | "nosuchcommand" | GET | EXEC "foo" | SHUTDOWN NOSAVE "foo"
queued   = 6: SET key value setopt* | 5: GET key | 2: GETDEL key | 3: GETSET key value | 3: MGET key+ | 3: MSET pair+
queued   = 3: MSETNX pair+ | 3: APPEND key value | STRLEN key | 6: INCR key | 3: INCRBY key integer | DECR key
queued   = 2: SETNX key value | 4: DEL key+ | EXISTS key+ | TYPE key | 2: EXPIRE key seconds | PEXPIRE key "-5" | PERSIST key
queued   = 3: RENAME key key | RENAMENX key key | 2: COPY key key copyopt* | 2: MOVE key database | 2: SELECT database
queued   = PING text? | ECHO text | FLUSHDB flushopt? | CLIENT GETNAME | CLIENT SETNAME name
queued   = 3: SADD setkey value+ | 2: SREM setkey value+ | SCARD setkey | 2: SISMEMBER setkey value | SINTERSTORE setkey setkey+
queued   = 3: HSET hkey "f" value | HGET hkey "f" | HDEL hkey "f" | HINCRBY hkey "f" integer | HLEN hkey
queued   = 3: RPUSH lkey value+ | 2: LPUSH lkey value+ | LPOP lkey | RPOP lkey | LLEN lkey | LRANGE lkey index index
queued   = 3: ZADD zkey #-9..9 value | ZREM zkey value | ZCARD zkey | ZRANGE zkey index index
)";

constexpr std::string_view kScripts = R"rules(
command  = 9: EVAL body "1" key value value | 2: EVAL_RO body "1" key value value | 2: EVAL body "0"
command  = EVAL body index key
command  = 2: EVALSHA sha "1" key | EVALSHA_RO sha "1" key | SCRIPT EXISTS sha sha
command  = SCRIPT LOAD body | SCRIPT KILL
command  = EVAL body | SCRIPT FLUSH flushopt? | SCRIPT "foo" | EVALSHA sha | 3: EVAL header "1" key
queued   = 3: EVAL body "1" key value value | EVALSHA sha "1" key
sha      = 4: "fd758d1589d044dd850a6f05d52f2eefd27f033f"
sha      = 4: "e0e1f9fabfc9d4800c877a703b823ac0578ff8db" | "abc" | ""
body     = 2: "return redis.call('get',KEYS[1])" | 2: "return redis.call('set',KEYS[1],ARGV[1])"
body     = "return redis.pcall('incr',KEYS[1])"
body     = "return 1" | "return {redis.call('type',KEYS[1]),ARGV[1],ARGV[2],#ARGV}"
body     = "redis.setresp(3); return redis.call('get',KEYS[1])"
body     = "return redis.call('incrby',KEYS[1],ARGV[1])"
body     = "return redis.pcall('lrange',KEYS[1],0,-1)" | "return tonumber(ARGV[1])"
body     = "if redis.call('get',KEYS[1]) == ARGV[1] then return redis.call('del',KEYS[1]) else return 0 end"
body     = "redis.call('select',1) return redis.call('set',KEYS[1],ARGV[1])" | "x=1" | "return x"
body     = "return {1.5,-1.5,true,false,{},'a',nil,3}"
body     = "return {ok=ARGV[1]}" | "error('boom')" | "error({err='CODE boom'})"
body     = "local a\nlocal b\nreturn a.b" | "return {1" | "return {double=1.5}"
body     = "redis.setresp(3); return {true,false,{double=-2.25},{big_number='12'},{verbatim_string={string='v',format='txt'}}}"
body     = "redis.call('set',KEYS[1],ARGV[1]); redis.call('expire',KEYS[1],1000); return {redis.call('exists',KEYS[1]),redis.call('persist',KEYS[1])}"
body     = "redis.call('nosuch')" | "redis.call('get')" | "return redis.pcall()"
body     = "redis.call('eval','return 1',0)" | "redis.call({})" | "return redis.call('ping')"
body     = "return redis.error_reply('-E x')" | "return redis.error_reply('E x')"
body     = "return redis.status_reply('s')" | "return redis.sha1hex(ARGV[1])"
body     = "return cjson.encode({1,'a',{x=1.5},cjson.null})"
body     = "return cjson.decode('[1,[2,3],\"x\"]')"
body     = "return cmsgpack.pack({1,-1,70000,1.5,'abc',{a=true}})"
body     = "return {cmsgpack.unpack(cmsgpack.pack(1,'a',{1,2}))}"
body     = "return struct.pack('<i4>I2sc3d',-5,513,'ab','abcd',1.5)"
body     = "return {bit.band(255,15),bit.tohex(-1)}"
body     = "return {struct.unpack('<hBs',struct.pack('<hBs',-2,200,'xyz'))}"
body     = "return {pcall(redis.call,'incr',KEYS[1])}"
body     = "return string.format('%5.2f|%s',3.14159,'x')"
header   = "#!lua\nreturn 1" | "#!lua flags=no-writes\nreturn redis.call('set',KEYS[1],'x')"
header   = "#!lua flags=foo\nreturn 1" | "#!foo\nreturn 1" | "#!lua x=1\nreturn 1" | "#!lua"
)rules";

constexpr std::string_view kFamilies[] = {kCommon,     kStrings,      kKeys,    kSets,  kHashes,
                                          kSortedSets, kLists,        kSorting, kDumps, kConnection,
                                          kServer,     kTransactions, kScripts};

}  // namespace

std::span<const std::string_view> RedisGrammar() { return kFamilies; }

}  // namespace starling
