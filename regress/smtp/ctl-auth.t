#!/usr/bin/perl
# msactl and logins: bans, the cache, who is logged in, tests of logins and of
# sessions; who may ask; what the control socket takes.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use IO::Socket::UNIX;
use JSON::PP;
use MIME::Base64;
use Msad;
use Test::More;

sub b64 { return encode_base64(join('', @_), '') }

my $d = Msad->new(group => 'mail', extra =>
    "limit login { user 3, delay 0s }\n", match =>
    "match from auth sender own relay \"box\"\n");
my ($u, $v) = ($d->account(0), $d->account(1));

# msactl with a text on its standard input.
sub with_input {
	my ($text, @args) = @_;
	my ($in, $out) = ("$d->{dir}/in.$$", "$d->{dir}/out.$$");
	Msad::spew($in, $text, 0600);
	my $status = system('sh', '-c', 'in=$1 out=$2; shift 2; exec "$@" ' .
	    '<"$in" >"$out" 2>"$out.err"', 'sh', $in, $out,
	    "$Msad::BUILD/msactl", '-s', "$d->{dir}/msad.sock", @args) >> 8;
	unlink $in;
	return { status => $status, out => slurp($out),
	    err => slurp("$out.err"),
	    json => scalar eval { decode_json(slurp($out)) } };
}

# A line of our own to the control socket; the last line of the answer.
sub raw {
	my ($line) = @_;
	my $s = IO::Socket::UNIX->new("$d->{dir}/msad.sock") or return undef;
	print $s "$line\n";
	$s->flush;
	my $last;
	while (defined(my $l = <$s>)) {
		$last = eval { decode_json($l) } // {};
		last if $last->{end};
	}
	return $last;
}

subtest 'show users' => sub {
	my $r = $d->msactl('show', 'users');
	is($r->{status}, 0, 'nobody is logged in: exit 0');
	is($r->{out}, '', 'and no line');
	my @c = map { $d->session($_ % 2, tls => 'tls') } 0 .. 2;
	$r = $d->msactl('-j', 'show', 'users');
	is(scalar(@{ $r->{json} }), 3, 'three logins');
	my ($one) = grep { $_->{user} eq $v->{name} } @{ $r->{json} };
	is_deeply([ @{$one}{qw(client mechanism block label tenant proof)} ],
	    [ '127.0.0.1', 'PLAIN', 'sys', '', '', 'login' ],
	    'user, client, mechanism, block');
	cmp_ok(abs($one->{since} - time), '<', 5, 'since now');
	like($one->{session}, qr/^[0-9a-f]+-[0-9a-f]+$/, 'the session of the log');
	ok($d->log =~ qr/s=$one->{session} /, 'as in the log');
	$r = $d->msactl('show', 'users');
	like($r->{out}, qr/\AUSER .*^\Q$u->{name}\E +127\.0\.0\.1 +PLAIN/ms,
	    'as text');
	$_->quit for @c;
	ok(wait_for { !@{ $d->msactl('-j', 'show', 'users')->{json} } },
	    'they log out');
	# more than a page
	@c = map { $d->client(tls => 'tls') } 1 .. 130;
	$_->send('AUTH PLAIN ' . b64("\0$u->{name}\0$u->{password}") . "\r\n")
	    for @c;
	is(scalar(grep { $_->reply->{code} == 235 } @c), 130, '130 log in');
	is(scalar(@{ $d->msactl('-j', 'show', 'users')->{json} }), 130,
	    'in pages');
	my %seen = map { $_->{session} => 1 }
	    @{ $d->msactl('-j', 'show', 'users')->{json} };
	is(scalar(keys %seen), 130, 'each once');
	$_->close for @c;
};

subtest 'ban, show bans, unban' => sub {
	my $r = $d->msactl('ban', '127.0.0.77', 'for', '10m');
	is($r->{status}, 0, 'an address, for a time') or diag $r->{err};
	is($d->msactl('ban', '127.9.0.0/16')->{status}, 0, 'a network');
	is($d->msactl('ban', '2001:db8::/32')->{status}, 0, 'of IPv6');
	$r = $d->msactl('-j', 'show', 'bans');
	my %b = map { $_->{network} => $_ } @{ $r->{json} };
	is(join(' ', sort keys %b),
	    '127.0.0.77/32 127.9.0.0/16 2001:db8::/32', 'shown');
	ok($b{'127.0.0.77/32'}{seconds} > 590 &&
	    $b{'127.0.0.77/32'}{seconds} <= 600, 'time left');
	is($b{'127.9.0.0/16'}{seconds}, 0, 'no end');
	ok($b{'127.9.0.0/16'}{manual}, 'by msactl');
	like($d->msactl('show', 'bans')->{out},
	    qr{^127\.0\.0\.77/32 +(?:9m|10m) +0 msactl$}m, 'as text');
	ok($d->log =~ qr{event=control-ban uid=0 network="?127\.0\.0\.77"? seconds=600}, 'the log says who did it');
	for my $from ('127.0.0.77', '127.9.8.7') {
		my $c = Msad::Smtp->connect($d->{port_tls}, 20, undef, $from);
		$c->start_tls(SSL_ca_file => "$d->{dir}/ca.pem");
		is($c->reply->{code}, 421, "$from is not served");
	}
	$r = $d->msactl('unban', '127.0.0.77');
	is($r->{out}, "1 ban taken back\n", 'unban');
	my $c = $d->client(tls => 'tls', local => '127.0.0.77');
	is($c->auth_plain($u->{name}, $u->{password})->{code}, 235,
	    'who is served again');
	$c->quit;
	is($d->msactl('unban', '127.0.0.77')->{status}, 5, 'no such ban: 5');
	is($d->msactl('-j', 'unban', 'all')->{json}[0]{matched}, 2, 'all');
	is(scalar(@{ $d->msactl('-j', 'show', 'bans')->{json} }), 0, 'none left');
	ok($d->log =~ qr/event=control-unban uid=0 network=all bans=2/, 'logged');
	for my $bad ('127.0.0.300', '10.0.0.1/8', '::/0', '0.0.0.0/0', 'x',
	    '127.0.0.1 ', "127.0.0.1\n") {
		is($d->msactl('ban', $bad)->{status}, 1, "refused: $bad");
	}
	is($d->msactl('ban', '127.0.0.1', 'for', $_)->{status}, 2,
	    "no time: $_") for qw(0s 5 -1m 1y 99999999999d);
};

subtest 'a user who is locked, and auth flush' => sub {
	for my $i (1 .. 3) {
		my $c = $d->client(tls => 'tls', local => "127.55.$i.1") or next;
		$c->auth_plain($v->{name}, "guess-$i");
		$c->close;
	}
	my ($l) = grep { ($_->{user} // '') eq $v->{name} }
	    @{ $d->msactl('-j', 'show', 'bans')->{json} };
	ok($l && $l->{failures} > 0 && $l->{block} eq 'sys',
	    'show bans names a locked user');
	like($d->msactl('show', 'bans')->{out},
	    qr/^\Q$v->{name}\E .*auth sys, \d+ refused$/m, 'as text');
	$d->session(0, tls => 'tls')->quit;
	like($d->msactl('auth', 'flush', $u->{name})->{out},
	    qr/^1 password forgotten$/, 'auth flush USER');
	like($d->msactl('auth', 'flush')->{out}, qr/^\d+ passwords? forgotten$/,
	    'auth flush');
	ok($d->log =~ qr/event=control-auth-flush uid=0 user="?\Q$u->{name}\E"? entries=1/, 'logged');
};

subtest 'test auth' => sub {
	my $r = with_input("$u->{password}\n", '-j', 'test', 'auth', $u->{name});
	is($r->{status}, 0, 'right: exit 0') or diag $r->{err};
	is_deeply([ @{ $r->{json} }{qw(result backend cached block user)} ],
	    [ 'ok', 'pam', 'no', 'sys', $u->{name} ], 'says who was asked');
	$r = with_input("$u->{password}\n", '-jp', 'test', 'auth', $u->{name},
	    'sys');
	is_deeply([ @{ $r->{json} }{qw(result backend cached)} ],
	    [ 'ok', 'pam', 'yes' ], 'then the cache knows it');
	$r = with_input("wrong\n", 'test', 'auth', $u->{name});
	is($r->{status}, 1, 'wrong: exit 1');
	like($r->{out}, qr/^result +refused\nreason +\S/, 'and why');
	is(with_input("x\n", 'test', 'auth', $u->{name}, 'nosuch')->{status}, 1,
	    'no such block');
	is(with_input('', 'test', 'auth', $u->{name})->{status}, 1,
	    'no password');
	is(with_input("x\n", 'test', 'auth', '../etc/passwd')->{status}, 1,
	    'no user name');
	is(with_input("$u->{password}\n", 'test', 'auth', $u->{name},
	    $d->{service})->{status}, 0, 'a block by its PAM service');
	ok($d->log =~ qr/event=control-test-auth uid=0 user="?\Q$u->{name}\E"? auth="sys" result=refused/, 'each is logged with who did it');
	ok($d->log !~ qr/\Q$u->{password}\E/, 'no password in the log');
	# it counts for no address: many of them do not ban 127.0.0.1
	with_input("wrong$_\n", 'test', 'auth', $u->{name}) for 1 .. 12;
	is(scalar(grep { $_->{network} } @{ $d->msactl('-j', 'show', 'bans')
	    ->{json} }), 0, 'tests ban nobody');
	# and a locked user can be tested
	is(with_input("$v->{password}\n", 'test', 'auth', $v->{name})->{status},
	    0, 'a locked user can be tested');
};

# What a terminal shows while the password is typed.
sub on_terminal {
	my ($password, @args) = @_;
	my $py = <<'PY';
import os, pty, sys
pid, fd = pty.fork()
if pid == 0:
    os.execv(sys.argv[2], sys.argv[2:])
seen = b''
while b'assword: ' not in seen:
    seen += os.read(fd, 1024)
os.write(fd, sys.argv[1].encode() + b'\n')
try:
    while True:
        more = os.read(fd, 1024)
        if not more:
            break
        seen += more
except OSError:
    pass
status = os.waitpid(pid, 0)[1]
print(os.WEXITSTATUS(status))
sys.stdout.write(seen.decode('latin-1'))
PY
	open(my $p, '-|', 'python3', '-c', $py, $password,
	    "$Msad::BUILD/msactl", '-s', "$d->{dir}/msad.sock", @args) or die;
	my $status = <$p>;
	local $/;
	my $out = <$p>;
	close($p);
	return ($status + 0, $out);
}

subtest 'test auth on a terminal' => sub {
	my ($status, $out) = on_terminal($u->{password}, 'test', 'auth',
	    $u->{name});
	is($status, 0, 'the password is asked for');
	like($out, qr/^Password: .*result +ok/s, 'and found right');
	unlike($out, qr/\Q$u->{password}\E/, 'without an echo');
};

subtest 'test session' => sub {
	my @t = ('-j', 'test', 'session', '127.0.0.9', $u->{name});
	my $r = $d->msactl(@t, $u->{address}, 'bob@example.net');
	is($r->{status}, 0, 'accepted: exit 0') or diag $r->{err};
	is_deeply([ @{ $r->{json}[0] }{qw(result banned login-refused block
	    relay own recipient)} ], [ 'accepted', 'no', 'no', 'sys', 'box',
	    $u->{address}, 'accepted' ], 'what would happen');
	my @lines = split(/\n/, $d->conf_text);
	my ($at) = grep { $lines[$_ - 1] =~ /^match / } 1 .. @lines;
	is($r->{json}[0]{rule}, "1, line $at", 'by which rule');
	$r = $d->msactl(@t, 'root@example.org', 'bob@example.net');
	is($r->{status}, 1, 'not his sender: exit 1');
	like($r->{json}[0]{sender}, qr/^550 5\.7\.1/, 'with the reply');
	$r = $d->msactl(@t, $u->{address}, 'bob@@');
	like($r->{json}[0]{recipient}, qr/^501 5\.1\.3/, 'a bad recipient');
	is($d->msactl(@t, '', 'bob@example.net')->{json}[0]{result}, 'accepted',
	    'the null sender');
	$d->msactl('ban', '127.0.0.9', 'for', '1m');
	$r = $d->msactl(@t, $u->{address}, 'bob@example.net');
	like($r->{json}[0]{banned}, qr/^banned by msactl, \d+ seconds left$/,
	    'a ban shows');
	like($r->{json}[0]{'login-refused'}, qr/^banned by msactl/, 'there too');
	is("$r->{status} $r->{json}[0]{result}", '1 refused', 'and decides');
	like($r->{json}[0]{reason}, qr/^banned by msactl/, 'with the reason');
	$d->msactl('unban', 'all');
	$r = $d->msactl('-j', 'test', 'session', '127.88.0.1', $v->{name},
	    $v->{address}, 'bob@example.net');
	is($r->{json}[0]{result}, 'refused', 'a locked user, elsewhere');
	like($r->{json}[0]{reason}, qr/^too many failed logins of this user/,
	    'with the reason');
	my ($before) = grep { ($_->{user} // '') eq $v->{name} }
	    @{ $d->msactl('-j', 'show', 'bans')->{json} };
	$d->msactl('-j', 'test', 'session', '127.88.0.1', $v->{name}, 'a@b', 'c@d');
	my ($after) = grep { ($_->{user} // '') eq $v->{name} }
	    @{ $d->msactl('-j', 'show', 'bans')->{json} };
	is($after->{refused}, $before->{refused}, 'a test counts for nothing');
	is($d->msactl('-j', 'test', 'session', 'here', $u->{name}, 'a@b', 'c@d')
	    ->{status}, 1, 'no address: an error');
	is(scalar(grep { /event=accepted/ } split /\n/, $d->log), 0,
	    'nothing was sent');
};

# A rule that a database decides: asked as MAIL asks it.
subtest 'test session with a database' => sub {
	my $silent = IO::Socket::INET->new(Listen => 5,
	    LocalAddr => '127.0.0.1') or die;
	my $text = $d->conf_text;
	my $port = $silent->sockport;
	$d->write_conf($text . "table silent ldap:\"ldap://127.0.0.1:$port\" " .
	    "{ base b filter %u attribute mail }\n" .
	    "match from auth sender <silent> relay box\n");
	is($d->msactl('reload')->{status}, 0, 'reload');
	my @t = ('-j', 'test', 'session', '127.0.0.9', $u->{name});
	is($d->msactl(@t, $u->{address}, 'b@example.net')->{json}[0]{result},
	    'accepted', 'a rule before it does without');
	my $r = $d->msactl(@t, 'other@example.org', 'b@example.net');
	is($r->{json}[0]{result}, 'refused', 'an answer that does not come');
	like($r->{json}[0]{sender}, qr/^451 4\.3\.0: a table/, 'is trouble');
	$d->write_conf($text);
	is($d->msactl('reload')->{status}, 0, 'reload');
};

subtest 'who may ask' => sub {
	my @asks = ([qw(show users)], [qw(show bans)], [qw(show grants)],
	    [qw(ban 127.3.3.3)], [qw(unban all)], [qw(auth flush)],
	    [qw(grant 127.3.3.3 as x for 1m)], [qw(grant remove 127.3.3.3)],
	    [qw(test session 127.0.0.1 a b@c d@e)]);
	local $d->{msactl_as} = 'nobody';
	is($d->msactl(@$_)->{status}, 4, "not in the group: @$_") for @asks;
	$d->{msactl_as} = 'mail';
	is($d->msactl('show', 'users')->{status}, 0, 'in the group: may look');
	is($d->msactl('ban', '127.3.3.3')->{status}, 0, 'and change');
	my $uid = getpwnam('mail');
	ok($d->log =~ qr/event=control-ban uid=$uid /, 'with his own uid');
	$d->msactl('unban', 'all');
};

subtest 'hostile JSON' => sub {
	my @bad = (
		'{"cmd":"ban"}', '{"cmd":"ban","network":1}',
		'{"cmd":"ban","network":""}',
		'{"cmd":"ban","network":"127.0.0.1","all":true}',
		'{"cmd":"ban","network":"127.0.0.1","seconds":0}',
		'{"cmd":"ban","network":"127.0.0.1","seconds":-1}',
		'{"cmd":"ban","network":"127.0.0.1","seconds":4294967296}',
		'{"cmd":"ban","network":"127.0.0.1","seconds":1.5}',
		'{"cmd":"ban","network":"127.0.0.1\\u0000"}',
		'{"cmd":"ban","network":"127.0.0.1\\n"}',
		'{"cmd":"ban","network":"' . ('1' x 64) . '"}',
		'{"cmd":"unban"}', '{"cmd":"unban","all":false}',
		'{"cmd":"unban","all":true,"network":"127.0.0.1"}',
		'{"cmd":"auth flush","user":"a\\u0001"}',
		'{"cmd":"auth flush","user":"' . ('u' x 256) . '"}',
		'{"cmd":"auth flush","user":["a"]}',
		'{"cmd":"grant","address":"127.0.0.1","user":"a"}',
		'{"cmd":"grant","address":"127.0.0.1","user":"a/b","seconds":60}',
		'{"cmd":"grant","address":"localhost","user":"a","seconds":60}',
		'{"cmd":"grant","address":"127.0.0.1","user":"a","seconds":86401}',
		'{"cmd":"grant remove","address":{}}',
		'{"cmd":"test auth","user":"a"}',
		'{"cmd":"test auth","user":"a","password":""}',
		'{"cmd":"test auth","user":"a","password":"' . ('p' x 1025) . '"}',
		'{"cmd":"test auth","user":"a","password":"b","address":"x y"}',
		'{"cmd":"test session","address":"127.0.0.1","user":"a","from":"b"}',
		'{"cmd":"show users","user":"a"}',
	);
	for my $line (@bad) {
		my $r = raw($line);
		is($r->{status}, 1, "refused: " . substr($line, 0, 70));
	}
	# the largest of everything is passed on, and answered
	my $r = raw(encode_json({ cmd => 'test session', address => '127.0.0.1',
	    user => 'u' x 255, from => 'f' x 1024, to => 't' x 1024 }));
	is($r->{status}, 0, 'a large request is answered');
	$r = raw(encode_json({ cmd => 'test auth', address => '127.0.0.1',
	    user => 'u' x 255, block => 'sys', password => 'p' x 1024 }));
	is($r->{status}, 0, 'a large password too');
	is($d->msactl('show', 'status')->{status}, 0, 'msad goes on');
};

subtest 'auth dies' => sub {
	kill('KILL', $d->child_named('msad-auth')->{pid});
	ok(wait_for { my $r = $d->msactl('show', 'bans');
	    $r->{status} == 0 && $d->log =~ /event=child-died name=auth/ },
	    'msactl gets an answer from the next one');
};

$d->done;
done_testing();
