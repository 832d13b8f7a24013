# SCRAM against a passwd file: with and without channel binding, right, wrong,
# truncated, replayed, mixed with other mechanisms.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use MIME::Base64;
use Msad;
use Msad::Scram;
use Test::More;
use Time::HiRes qw(time);

my $pw = 'correct horse';
my $salt = 'saltsaltsaltsalt';
my %v = map { $_ => scram_verifier($pw, salt => $salt, mech => $_) }
    qw(SCRAM-SHA-1 SCRAM-SHA-256);
my $printer = scram_verifier('printer password', salt => $salt);

my $file_port = free_port();
my $pam_port = free_port();
my $d = Msad->new(
	start => 0,
	extra => '',
);
my $file = "$d->{dir}/passwd";

sub put {
	spew($file, join('', map { "$_\n" } @_), 0600);
}

put("ann:$v{'SCRAM-SHA-256'}",
    "ann:$printer:label=printer",
    "both:$v{'SCRAM-SHA-256'} $v{'SCRAM-SHA-1'}",
    "we=ird,name:$v{'SCRAM-SHA-256'}");
$d->{extra} = <<"CONF";
limit login off
auth "file" { passwd file:"$file" realm "example.org" }
auth "old" {
	passwd file:"$file"
	mech { plain, scram-sha-1, scram-sha-1-plus }
	realm "example.org"
}
listen on 127.0.0.1 port $file_port tls pki "main" auth "file"
listen on 127.0.0.1 port $pam_port tls pki "main" auth "old"
CONF
$d->write_conf;
$d->start;

# A session under TLS at one of the ports.
sub at {
	my ($port, %ssl) = @_;
	my $c = Msad::Smtp->connect($port, $Msad::DEADLINE) or return undef;
	$c->start_tls(%ssl, SSL_ca_file => "$d->{dir}/ca.pem") or return undef;
	$c->greeting;
	$c->{ehlo} = $c->cmd('EHLO client.example')->{text};
	return $c;
}

sub says {
	my ($r, $code, $enh, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok(defined $r && $r->{code} == $code && ($r->{enh} // '') eq $enh, $name)
	    or diag("wanted $code $enh, got: " . ($r->{text} // 'nothing'));
}

sub fails {
	my ($name, %o) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $c = at($o{port} // $file_port);
	my $log = {};
	my $r = scram($c, user => 'ann', password => $pw, log => $log, %o);
	says($r, 535, '5.7.8', $name);
	ok(!defined $log->{server_final}, "$name: no server-final, no e=");
	$c->close;
}

subtest 'what is offered' => sub {
	my $c = at($file_port);
	like($c->{ehlo}, qr/^250-AUTH SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN\r$/m,
	    'P-scram-1 R7677-3-a SCRAM-SHA-256 with verifiers, SHA-1 off by default');
	says(scram($c, mech => 'SCRAM-SHA-1', user => 'ann', password => $pw),
	    504, '5.5.4', 'R7677-3-a SCRAM-SHA-1 is not there unless named');
	$c->quit;
	$c = at($pam_port);
	like($c->{ehlo}, qr/^250-AUTH SCRAM-SHA-1-PLUS SCRAM-SHA-1 PLAIN\r$/m,
	    'what is named, and nothing else');
	$c->quit;
	$c = $d->client;
	unlike($c->cmd('EHLO x')->{text}, qr/SCRAM/,
	    'P-scram-1 not listed where there is PAM alone');
	says($c->cmd('AUTH SCRAM-SHA-256 biws'), 504, '5.5.4',
	    'P-scram-1 and not taken');
	$c->quit;
	spew("$d->{dir}/bad.conf", "auth \"x\" { pam service \"s\" " .
	    "mech { scram-sha-256 } }\n", 0600);
	like(`$Msad::BUILD/msad -n -f $d->{dir}/bad.conf 2>&1`,
	    qr/mech scram-sha-256 needs a passwd file/,
	    'P-scram-1 without verifiers the configuration is refused');
};

subtest 'success' => sub {
	for my $o ({}, { split => 1 }, { mech => 'scram-sha-256' },
	    { ext => ',x=whatever,Y=z' }, { first => 'n=ann,r=%s,x=ignored' },
	    { gs2 => 'n,a=ann,' }) {
		my $c = at($file_port);
		my $log = {};
		my %o = (user => 'ann', password => $pw, log => $log, %$o);
		my $name = join(' ', %$o);
		says(scram($c, %o), 235, '2.7.0',
		    "R5802-5-a R5802-5-c SCRAM-SHA-256 $name");
		ok($log->{server_ok}, 'R5802-5-a the server has the verifier too');
		cmp_ok($log->{iterations}, '>=', 4096, 'R7677-3-a iterations');
		is($log->{salt}, encode_base64($salt, ''), 'R5802-5-a salt');
		says($c->cmd('MAIL FROM:<ann@example.org>'), 250, '2.1.0',
		    'the grant is that of the user');
		says($c->cmd('AUTH PLAIN AAAA'), 503, '5.5.1', 'R4954-4-a once');
		$c->quit;
	}
	my $c = at($file_port);
	says(scram($c, user => 'we=ird,name', password => $pw), 235, '2.7.0',
	    'R5802-5-b =2C and =3D in a name');
	$c->quit;
	$c = at($file_port);
	my $log = {};
	says(scram($c, user => 'ann', password => 'printer password',
	    log => $log), 235, '2.7.0', 'the app password of a label');
	ok($log->{server_ok}, 'and the server signature is of that one');
	$c->quit;
	$c = at($pam_port);
	says(scram($c, mech => 'SCRAM-SHA-1', user => 'both', password => $pw),
	    235, '2.7.0', 'R5802-5-a SCRAM-SHA-1 where it is named');
	$c->quit;
};

subtest 'channel binding' => sub {
	for my $t (qw(tls-exporter tls-server-end-point)) {
		my $c = at($file_port);
		is($c->{sock}->get_sslversion, 'TLSv1_3', 'TLS 1.3');
		says(scram($c, mech => 'SCRAM-SHA-256-PLUS', bind => $t,
		    user => 'ann', password => $pw), 235, '2.7.0',
		    "R9266-3-a $t with TLS 1.3");
		$c->quit;
	}
	for my $t (qw(tls-unique tls-server-end-point)) {
		my $c = at($file_port, SSL_version => 'TLSv1_2');
		is($c->{sock}->get_sslversion, 'TLSv1_2', 'TLS 1.2');
		says(scram($c, mech => 'SCRAM-SHA-256-PLUS', bind => $t,
		    user => 'ann', password => $pw), 235, '2.7.0',
		    "R5929-3-a $t with TLS 1.2");
		$c->quit;
	}
	my $c = at($pam_port);
	says(scram($c, mech => 'SCRAM-SHA-1-PLUS', user => 'both',
	    password => $pw), 235, '2.7.0', 'SCRAM-SHA-1-PLUS');
	$c->quit;
	my @plus = (mech => 'SCRAM-SHA-256-PLUS');
	fails('R9266-3-a tls-unique with TLS 1.3', @plus, bind => 'tls-unique');
	fails('R5929-3-a wrong end point', @plus, bind => 'tls-server-end-point',
	    data => 'x' x 32);
	fails('R5929-3-a truncated end point', @plus, c => encode_base64(
	    'p=tls-server-end-point,,' . 'x' x 16, ''),
	    bind => 'tls-server-end-point');
	fails('R9266-3-a wrong exporter', @plus, data => 'x' x 32);
	fails('R9266-3-a no data', @plus, data => '');
	fails('R5802-6-a unsupported type', @plus, bind => 'tls-none');
	fails('R5802-6-a n under a -PLUS name', @plus, gs2 => 'n,,');
	fails('R5802-6-a y under a -PLUS name', @plus, gs2 => 'y,,');
	fails('R5802-6-a p= under a name without', gs2 => 'p=tls-exporter,,');
	fails('R5802-6-a y while -PLUS is listed', gs2 => 'y,,');
};

subtest 'R9266-4.1-a a second -PLUS after a failed one' => sub {
	my $c = at($file_port);
	my @plus = (mech => 'SCRAM-SHA-256-PLUS', user => 'ann');
	says(scram($c, @plus, password => 'wrong'), 535, '5.7.8', 'first');
	says(scram($c, @plus, password => $pw), 535, '5.7.8',
	    'R9266-4.1-a the second is refused, right or not');
	my $r = $c->reply;
	says($r, 421, '4.7.0', 'R9266-4.1-a and the connection ends');
	$c->close;
	$c = at($file_port);
	says(scram($c, @plus, password => 'wrong'), 535, '5.7.8', 'first');
	says(scram($c, user => 'ann', password => $pw), 235, '2.7.0',
	    'R9266-4.1-a without -PLUS it goes on');
	$c->quit;
};

subtest 'refusals' => sub {
	fails('R5802-5-b wrong password', password => 'wrong');
	fails('R5802-5-b wrong proof', proof => sub { $_[0] ^ ("\0" x 31 . "\1") });
	fails('R5802-5-b short proof', proof => sub { substr($_[0], 1) });
	fails('R5802-5-b nonce changed', r => 'changed');
	fails('R5802-5-b wrong c=', c => 'biwsYQ==');
	fails('R5802-5-b c= not base64', c => '****');
	fails('R5802-5-b attribute m=', first => 'm=x,n=ann,r=%s');
	fails('R5802-5-b first letter', gs2 => 'x,,');
	fails('R5802-5-b empty flag', gs2 => ',,');
	fails('R5802-5-b no gs2 header', gs2 => '');
	fails('R5802-5-b authzid of another', gs2 => 'n,a=root,');
	fails('R5802-5-b = in the name', first => 'n=a=nn,r=%s');
	fails('R5802-5-b =2c in the name', first => 'n=a=2cnn,r=%s');
	fails('R5802-5-b out of order', first => 'r=%s,n=ann');
	fails('R5802-5-b no nonce', first => 'n=ann,r=');
	fails('R5802-5-b no user', first => 'n=,r=%s');
	fails('R4954-4-j a name SASLprep refuses', first => "n=an\x{07}n,r=%s");
	fails('R5802-5-b not UTF-8', first => "n=an\xff,r=%s");
	fails('R5802-5-b NUL', first => "n=ann,r=%s,x=a\0b");
	fails('R5802-5-b bad extension', first => 'n=ann,r=%s,,,');
	fails('R5802-5-b no proof', final => 'c=biws,r=x');
	fails('R5802-5-b empty final', final => '');
	fails('X-auth-1 commas', first => 'n=ann,r=%s' . ',' x 3000);
	fails('X-auth-1 long nonce', first => 'n=ann,r=%s' . 'x' x 5000);
	fails('P-scram-1 a user whose entry has no such verifier',
	    mech => 'SCRAM-SHA-1', port => $pam_port);
	my $c = at($file_port);
	my $r = scram($c, user => 'ann', password => $pw, last => 'eA==');
	says($r, 535, '5.7.8', 'R5802-5-a a message after the last');
	says($c->cmd('MAIL FROM:<ann@example.org>'), 530, '5.7.0', 'not logged in');
	$c->quit;
	$c = at($file_port);
	scram($c, user => 'ann', password => $pw, stop => 'final');
	says($c->cmd('*'), 501, '5.7.0', 'R4954-4-g cancelled at the last step');
	says($c->cmd('MAIL FROM:<ann@example.org>'), 530, '5.7.0', 'not logged in');
	$c->quit;
};

subtest 'unknown user' => sub {
	my (%salt, @log);
	for my $user (qw(nobody nobody other ann)) {
		my $c = at($file_port);
		my $log = {};
		my $r = scram($c, user => $user, password => 'x', log => $log);
		says($r, 535, '5.7.8', "R5802-5-d $user");
		push @log, $log;
		is($log->{iterations}, 4096, 'R5802-5-d iterations as of others');
		is(length(decode_base64($log->{salt})), 16, 'length of a salt');
		$c->close;
	}
	is($log[0]{salt}, $log[1]{salt}, 'R5802-5-d the salt is stable per name');
	isnt($log[0]{salt}, $log[2]{salt}, 'and differs between names');
	$d->stop;
	$d->start;
	my $c = at($file_port);
	my $log = {};
	scram($c, user => 'nobody', password => 'x', log => $log);
	is($log->{salt}, $log[0]{salt}, 'R5802-5-d also over a restart');
	$c->close;
};

subtest 'replays and mixtures' => sub {
	my $log = {};
	my $c = at($file_port);
	says(scram($c, user => 'ann', password => $pw, log => $log,
	    cnonce => 'abcdef'), 235, '2.7.0', 'recorded');
	$c->quit;
	fails('R5802-5-b replay of a client-final', cnonce => 'abcdef',
	    final => $log->{client_final});
	$c = at($file_port);
	scram($c, user => 'ann', password => $pw, stop => 'first');
	says($c->cmd(encode_base64("\0ann\0$pw", '')), 535, '5.7.8',
	    'PLAIN within SCRAM');
	$c->cmd('AUTH PLAIN');
	says($c->cmd(encode_base64('n,,n=ann,r=abc', '')), 535, '5.7.8',
	    'SCRAM within PLAIN');
	scram($c, user => 'ann', password => $pw, stop => 'first');
	says($c->cmd('AUTH PLAIN ' . encode_base64("\0ann\0$pw", '')), 501,
	    '5.5.2', 'R4954-4-h another AUTH within SCRAM');
	says(scram($c, user => 'ann', password => $pw), 235, '2.7.0',
	    'and a proper one afterwards');
	$c->quit;
};

like($d->log, qr/event=auth-ok user="?ann"? .*mech=SCRAM-SHA-256-PLUS/,
    'the log names the mechanism');
unlike($d->log, qr/correct horse/, 'and no password');
$d->done;
done_testing;
