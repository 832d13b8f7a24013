# Tenants: logins of the same name that are two, rules that are one tenant's
# alone (P3), how much a tenant may send and have in the queue, over reload,
# restart and crash; and held messages that go when a limit is raised.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Msad;
use Test::More;

my $d = Msad->new(start => 0, level => 'debug', frontend_workers => 1);
my %port = map { $_ => free_port() } qw(acme zeta);
my %password = (acme => 'of acme', zeta => 'of zeta');
my $dead = free_port();
my %limits;
my $relays = '';

# ann and the others are there twice, with passwords of their own
sub passwd {
	my ($tenant, @users) = @_;
	my $hash = `openssl passwd -6 '$password{$tenant}'`;
	chomp $hash;
	my $app = `openssl passwd -6 'app $tenant'`;
	chomp $app;
	spew("$d->{dir}/$tenant.passwd", join('', map { "$_:$hash\n" } @users) .
	    "ann:$app:label=phone rate=2/hour\n", 0600);
}

passwd('acme', qw(ann bob cat dan eve));
passwd('zeta', qw(ann bob cat fay));

sub conf {
	my ($outside) = @_;
	my $dir = $d->{dir};
	$d->{tables} = "limit login { user 3 }\n" . ($outside // '');
	$d->{extra} = <<"CONF";
relay "pool" { maildir "$dir/box" }
tenant "acme" {
	auth { passwd file:"$dir/acme.passwd" mech { plain scram-sha-256 } realm "acme.example" }
	table "acme-senders" { "bob" = "info\@acme.example" }
	$limits{acme}
	relay "far" { host "127.0.0.1" port $dead }
	match from auth sender { own, <acme-senders> } relay "pool"
	match from auth sender any relay "far"
}
tenant "zeta" {
	auth { passwd file:"$dir/zeta.passwd" mech plain realm "zeta.example" }
	relay "zeta-box" { maildir "$dir/zeta" }
	$limits{zeta}
	match from auth sender own relay "zeta-box"
}
listen on 127.0.0.1 port $port{acme} tls pki "main" auth "acme"
listen on 127.0.0.1 port $port{zeta} tls pki "main" auth "zeta" grants allow
CONF
	$d->{match} = "match from auth sender any relay \"box\"\n";
	$d->write_conf;
}

sub reload {
	conf(@_);
	is($d->msactl('reload')->{status}, 0, 'reload');
}

sub says {
	my ($r, $code, $enh, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok($r->{code} == $code && $r->{enh} eq $enh, $name)
	    or diag("wanted $code $enh, got: $r->{text}");
}

sub try_login {
	my ($tenant, $user, $pw) = @_;
	my $c = Msad::Smtp->connect($port{$tenant}, 20) or die 'no connection';
	$c->start_tls(SSL_ca_file => "$d->{dir}/ca.pem") or die 'no TLS';
	$c->greeting;
	$c->cmd('EHLO client.example');
	return ($c, $c->auth_plain($user, $pw // $password{$tenant}));
}

sub login {
	my ($tenant, $user, $pw) = @_;
	my ($c, $r) = try_login($tenant, $user, $pw);
	is($r->{code}, 235, "$user of $tenant logs in") or diag($r->{text});
	return $c;
}

my $serial = 0;

sub mail {
	my ($c, $from, %o) = @_;
	$serial++;
	my $r = $c->submit($from, $o{to} // 'rcpt@x.example',
	    "From: <$from>\r\nSubject: number $serial.\r\n\r\n" . ($o{body} // "x\r\n"),
	    mail => $o{mail});
	$c->cmd('RSET') if $r->{code} != 250;
	return $r;
}

# "messages=2/5" of the users of a tenant, or of the tenant as such.
sub used {
	my ($tenant, $user) = @_;
	return join(' ', map { "$_->{limit}=$_->{used}/$_->{max}" }
	    sort { $a->{limit} cmp $b->{limit} }
	    grep { $_->{tenant} eq $tenant && $_->{user} eq $user }
	    @{ $d->msactl('-j', 'show', 'limits')->{json} });
}

sub held {
	my ($user) = @_;
	return grep { $_->{state} eq 'held' && $_->{user} eq $user } $d->queue;
}

%limits = (acme => '', zeta => '');
$d->maildir("$d->{dir}/zeta");
conf();
$d->start;

subtest 'users of one name' => sub {
	my $c = login('acme', 'ann');
	my $e = login('zeta', 'ann');
	my ($x, $r) = try_login('zeta', 'ann', $password{acme});
	is($r->{code}, 535, 'P3 the password of one is not that of the other');
	$x->close;
	($x, $r) = try_login('acme', 'ann', 'app zeta');
	is($r->{code}, 535, 'P3 nor is an app password');
	$x->close;
	($x, $r) = try_login('acme', 'ann', 'app acme');
	is($r->{code}, 235, 'its own is');
	$x->close;
	says(mail($c, 'ann@acme.example'), 250, '2.0.0', 'ann of acme');
	says(mail($e, 'ann@zeta.example'), 250, '2.0.0', 'ann of zeta');
	my ($one) = $d->mails_wait(1, qr/^Subject: number @{[$serial - 1]}\./m);
	my ($two) = $d->mails_wait(1, qr/^Subject: number $serial\./m, "$d->{dir}/zeta");
	ok($one && $two, 'each by the relay of its tenant');
	ok($d->log_wait(qr/event=delivered .*user="?ann"? tenant="?zeta"? relay="?zeta-box/),
	    'the log says the tenant');
	my %t = map { $_->{tenant} => $_ } @{ $d->msactl('-j', 'show', 'users')->{json} };
	is($t{$_}{user}, 'ann', "msactl show users has the one of $_") for qw(acme zeta);
	# failures of the one do not lock out the other
	for (1 .. 4) {
		($x, $r) = try_login('zeta', 'cat', "wrong $_");
		$x->close;
	}
	($x, $r) = try_login('zeta', 'cat');
	isnt($r->{code}, 235, 'cat of zeta is locked out');
	$x->close;
	$x = login('acme', 'cat');
	$_->quit for $c, $e, $x;
};

subtest 'rules of one tenant' => sub {
	my $c = login('acme', 'ann');
	my $e = login('zeta', 'bob');
	says(mail($e, 'info@acme.example'), 550, '5.7.1', 'P3 a sender of another tenant\'s table');
	says(mail($e, 'bob@acme.example'), 550, '5.7.1', 'P3 what is own to the same name there');
	says(mail($e, 'any@y.example'), 550, '5.7.1', 'P3 neither "any" there, nor that outside');
	says(mail($c, 'any@y.example'), 250, '2.0.0', 'which is for its own tenant');
	my ($m) = grep { $_->{from} eq 'any@y.example' } $d->queue;
	is($m->{tenant}, 'acme', 'msactl queue list has the tenant');
	is($d->msactl('queue', 'remove', $m->{id})->{status}, 0, 'removed');
	says(mail($e, 'bob@zeta.example'), 250, '2.0.0', 'its own');
	# one without a tenant has the rules outside
	my $s = $d->session(0);
	says(mail($s, 'any@y.example'), 250, '2.0.0', 'one of no tenant');
	ok(scalar($d->mails_wait(1, qr/^Subject: number $serial\./m)), 'by the relay outside');
	my $r = $d->msactl('test', 'session', '192.0.2.7', 'bob', 'info@acme.example', 'x@x.example', 'zeta');
	like($r->{out}, qr/550 5\.7\.1/, 'msactl test session says the same') or diag($r->{out}, $r->{err});
	$_->quit for $c, $e, $s;
};

subtest 'an address that stands for a login' => sub {
	is($d->msactl('grant', '127.0.0.31', 'as', 'fay', 'block', 'zeta', 'for', '1m')->{status}, 0, 'granted');
	my $c = Msad::Smtp->connect($port{zeta}, 20, '127.0.0.1', '127.0.0.31') or die 'no connection';
	$c->start_tls(SSL_ca_file => "$d->{dir}/ca.pem") or die 'no TLS';
	$c->greeting;
	$c->cmd('EHLO client.example');
	says(mail($c, 'any@y.example'), 550, '5.7.1', 'P3 it has the rules of its tenant');
	says(mail($c, 'fay@zeta.example'), 250, '2.0.0', 'its own');
	ok(scalar($d->mails_wait(1, qr/^Subject: number $serial\./m, "$d->{dir}/zeta")), 'by the tenant\'s relay');
	$c->quit;
	is($d->msactl('grant', 'remove', '127.0.0.31')->{status}, 0, 'taken back');
};

subtest 'rates' => sub {
	%limits = (acme => 'limit tenant { messages 3/day } limit user { messages 2/day }', zeta => '');
	reload();
	my $c = login('acme', 'ann');
	my $e = login('acme', 'bob');
	says(mail($c, 'ann@acme.example'), 250, '2.0.0', 'first') for 1 .. 2;
	my $r = $c->cmd('MAIL FROM:<ann@acme.example>');
	says($r, 450, '4.7.1', 'P-ses-5 the third of a user');
	is(used('acme', ''), 'tenant-messages=2/3', 'which is not the tenant\'s');
	says(mail($e, 'bob@acme.example'), 250, '2.0.0', 'the first of another');
	$r = $e->cmd('MAIL FROM:<bob@acme.example>');
	says($r, 450, '4.7.1', 'P-ses-5 the fourth of the tenant');
	like($r->{text}, qr/your tenant's limit/, 'it says whose limit it is');
	like($r->{text}, qr/after \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC/, 'P-ses-5 it says until when');
	is(used('acme', 'bob@acme.example'), 'messages=1/2', 'which is not the user\'s');
	ok($d->log_wait(qr/event=over-limit user="?bob"? tenant="?acme"? limit=tenant-messages action=reject/),
	    'logged');
	my $z = login('zeta', 'ann');
	says(mail($z, 'ann@zeta.example'), 250, '2.0.0', 'P3 another tenant goes on') for 1 .. 4;
	like($d->msactl('show', 'limits')->{out}, qr/^tenant-messages +3 +3\/day /m, 'msactl show limits');
	$_->quit for $c, $e, $z;
};

subtest 'restart, crash, reload' => sub {
	is($d->stop, 0, 'stopped');
	$d->start;
	is(used('acme', ''), 'tenant-messages=3/3', 'P-ses-5 it is known after a restart');
	my $c = login('acme', 'dan');
	says(mail($c, 'dan@acme.example'), 450, '4.7.1', 'P-ses-5 and holds');
	is($d->msactl('limits', 'reset', 'tenant', 'acme')->{status}, 0, 'limits reset tenant');
	ok($d->log_wait(qr/event=limits-reset uid=0 user="" tenant="acme" limits=1/), 'logged');
	is(used('acme', ''), '', 'nothing is used');
	is(used('acme', 'ann@acme.example'), 'messages=2/2', 'its users\' counts are as they were');
	is($d->msactl('limits', 'reset', 'tenant', 'acme')->{status}, 5, 'nothing to reset');
	is($d->msactl('limits', 'reset', 'tenant', 'nobody')->{status}, 5, 'nor of nobody');
	says(mail($c, 'dan@acme.example'), 250, '2.0.0', 'one');
	my ($id) = $d->log =~ /.*q=(\S+) \S+ event=accepted user="?dan/s;
	ok($d->log_wait(qr/q=$id .*event=limits-stored/s), 'it is written');
	$c->close;
	$d->kill_all;
	$d->start;
	is(used('acme', ''), 'tenant-messages=1/3', 'P-ses-5 it is known after a crash');
	$limits{acme} = 'limit tenant { messages 1/day }';
	reload();
	is(used('acme', ''), 'tenant-messages=1/1', 'and after a reload, by the new rate');
	$c = login('acme', 'eve');
	says(mail($c, 'eve@acme.example'), 450, '4.7.1', 'P-ses-5 which holds');
	$limits{acme} = 'limit tenant { messages off }';
	reload();
	says(mail($c, 'eve@acme.example'), 250, '2.0.0', 'no limit');
	$c->quit;
};

subtest 'room in the queue' => sub {
	$limits{acme} = 'limit tenant { queue 2, bytes 20K }';
	reload();
	my $c = login('acme', 'dan');
	says($c->cmd('MAIL FROM:<dan@far.example> SIZE=20481'), 552, '5.3.4', 'more than it may have at all');
	says(mail($c, 'dan@far.example'), 250, '2.0.0', 'one that stays');
	my $e = login('acme', 'eve');
	says($e->cmd('MAIL FROM:<eve@far.example>'), 250, '2.1.0', 'a second one begins');
	says($c->cmd('MAIL FROM:<dan@far.example>'), 452, '4.3.1', 'a third one has no room');
	$e->cmd('RSET');
	says($c->cmd('MAIL FROM:<dan@far.example> SIZE=20200'), 452, '4.3.1', 'nor have so many octets');
	says(mail($c, 'dan@far.example', body => "" . ("x" x 78 . "\r\n") x 253), 452,
	    '4.3.1', 'nor when nothing is said of them');
	says(mail($e, 'eve@far.example'), 250, '2.0.0', 'a small one has');
	says(mail($c, 'dan@acme.example'), 452, '4.3.1', 'the queue is full');
	like($d->log, qr/limit=tenant-queue action=reject/, 'logged');
	my $z = login('zeta', 'ann');
	says(mail($z, 'ann@zeta.example'), 250, '2.0.0', 'P3 another tenant has room');
	my $n = $d->msactl('queue', 'remove', 'all');
	says(mail($c, 'dan@acme.example'), 250, '2.0.0', 'room again');
	$_->quit for $c, $e, $z;
};

subtest 'a tenant that is gone' => sub {
	my $c = login('zeta', 'bob');
	my $conf = slurp("$d->{dir}/msad.conf");
	(my $without = $conf) =~ s/^tenant "zeta" \{.*?^\}\n//ms;
	$without =~ s/^listen on 127.0.0.1 port $port{zeta} .*\n//m;
	$d->write_conf($without);
	is($d->msactl('reload')->{status}, 0, 'reload');
	says(mail($c, 'bob@zeta.example'), 550, '5.7.1', 'P3 its sessions have no rule, not those outside');
	$d->write_conf($conf);
	is($d->msactl('reload')->{status}, 0, 'reload');
	says(mail($c, 'bob@zeta.example'), 250, '2.0.0', 'it is back');
	$c->quit;
};

subtest 'a raised limit brings forward what it held' => sub {
	$limits{acme} = 'limit tenant { messages 2/day, over hold }';
	reload();
	$d->msactl('limits', 'reset', 'tenant', 'acme');
	my $c = login('acme', 'dan');
	my @r = map { mail($c, 'dan@acme.example') } 1 .. 4;
	is(join(' ', map { $_->{code} } @r), '250 250 250 250', 'P-ses-5 four of two a day');
	is(scalar(held('dan')), 2, 'two are held');
	says(mail($c, 'dan@acme.example'), 450, '4.7.1', 'no more');
	my @before = sort map { $_->{next} } held('dan');
	$limits{acme} = 'limit tenant { messages 3/day, over hold }';
	reload();
	ok($d->log_wait(qr/event=held-forward messages=2/), 'the reload moves both');
	ok(scalar($d->mails_wait(1, qr/^Subject: number @{[$serial - 2]}\./m)), 'the first goes at once');
	my @held = held('dan');
	is(scalar(@held), 1, 'the other one is held by the new rate');
	is($held[0]{id}, $r[3]{id}, 'the last one');
	my $next = $held[0]{rcpts} ? $held[0]{rcpts}[0]{next} : $held[0]{next};
	cmp_ok($next, '<', time + 8 * 3600 + 60, 'for a third of a day') if defined $next;
	$d->kill_all;
	$d->start;
	@held = held('dan');
	is(scalar(@held), 1, 'P1 after a crash it is held as well');
	my $again = $held[0]{next};
	is($again, $next, 'until the same time') if defined $next;
	is($d->msactl('limits', 'reset', 'tenant', 'acme')->{status}, 0, 'a reset');
	ok(scalar($d->mails_wait(1, qr/^Subject: number @{[$serial - 1]}\./m)), 'lets it go');
	is(scalar(held('dan')), 0, 'nothing is held');
};

subtest 'both hold' => sub {
	$limits{acme} = 'limit tenant { messages 1/day, over hold } limit user { messages 1/day, over hold }';
	reload();
	$d->msactl('limits', 'reset', 'tenant', 'acme');
	$d->msactl('limits', 'reset', $_) for qw(dan eve ann bob);
	my $c = login('acme', 'dan');
	my $e = login('acme', 'eve');
	says(mail($c, 'dan@acme.example'), 250, '2.0.0', 'one of dan goes');
	says(mail($e, 'eve@acme.example'), 250, '2.0.0', 'one of eve is held by the tenant\'s');
	is(scalar(held('eve')), 1, 'held');
	is($d->msactl('limits', 'reset', 'eve')->{status}, 0, 'eve is reset');
	is(scalar(held('eve')), 1, 'which does not let it go');
	says(mail($e, 'eve@acme.example'), 450, '4.7.1', 'nor let more in');
	is($d->msactl('limits', 'reset', 'tenant', 'acme')->{status}, 0, 'the tenant is');
	ok(scalar($d->mails_wait(1, qr/^Subject: number @{[$serial - 1]}\./m)), 'it goes');
	$_->quit for $c, $e;
};

ok(wait_for { `$Msad::BUILD/msactl spool dump $d->{spool}` =~
    / state=limit limit=tenant-messages tenant="?acme"? / }, 'spool dump names limits of tenants');

$d->done;
done_testing;
