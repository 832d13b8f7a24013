# EXTERNAL by client certificate: right, wrong, expired, revoked, of another
# authority, none at all; mapping to users; revocation lists good and bad.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use MIME::Base64;
use Msad;
use Msad::Pki;
use Test::More;

my %port = map { $_ => free_port() } qw(mail table name pam);
my $d = Msad->new(start => 0);
my $u = $d->account(0);
my $ca = Msad::Pki->new("$d->{dir}/clients", 'Client CA');
my $evil = Msad::Pki->new("$d->{dir}/evil", 'Client CA');
my %ann = $ca->cert('ann', san => 'email:ann@example.org');
my %bob = $ca->cert('bob', san => 'email:bob@example.org');
my %gone = $ca->cert('gone', san => 'email:gone@example.org');
my %old = $ca->cert('old', san => 'email:ann@example.org', from => -7200, to => -3600);
my %young = $ca->cert('young', san => 'email:ann@example.org', from => 3600);
my %server = $ca->cert('server', san => 'email:ann@example.org', eku => 'serverAuth');
my %two = $ca->cert('two', san => 'email:ann@example.org,email:bob@example.org');
my %elsewhere = $ca->cert('elsewhere', san => 'email:ann@example.com');
my %bare = $ca->cert('bare', subject => '/O=Example/CN=Printer 7');
my %account = $ca->cert($u->{name}, file => 'account');
my %nobody = $ca->cert('nobody-of-that-name', file => 'nobody');
my %forged = $evil->cert('ann', san => 'email:ann@example.org');
$ca->revoke('gone');
$ca->crl;
my $rules = "client-certificates { ca file:\"$ca->{dir}/ca.pem\" crl file:\"$ca->{dir}/crl.pem\"";
$d->{extra} = <<"CONF";
limit login { address 0, network 0, user 0, user-address 0, delay 0s }
table "certs" {
	"CN=Printer 7,O=Example" = "printer"
	"bob\@example.org" = "robert"
}
auth "mail" { passwd file:"$d->{dir}/passwd" $rules user email }
	mech { external plain } realm "example.org" }
auth "table" { $rules user <certs> } mech { external } realm "example.org" }
auth "name" { client-certificates { ca file:"$ca->{dir}/ca.pem" user common-name }
	mech { external } realm "example.org" }
auth "pam" { pam service "$d->{service}" $rules user common-name }
	mech { external plain } realm "example.org" }
listen on 127.0.0.1 port $port{mail} tls pki "main" auth "mail"
listen on 127.0.0.1 port $port{table} starttls pki "main" auth "table"
listen on 127.0.0.1 port $port{name} tls pki "main" auth "name"
listen on 127.0.0.1 port $port{pam} tls pki "main" auth "pam"
CONF
spew("$d->{dir}/passwd", '', 0600);
$d->write_conf;
$d->start;

sub at {
	my ($which, %ssl) = @_;
	my $c = Msad::Smtp->connect($port{$which}, $Msad::DEADLINE) or return undef;
	if ($which eq 'table') {
		$c->greeting;
		$c->{before} = $c->cmd('EHLO client.example')->{text};
		$c->cmd('STARTTLS');
	}
	$c->start_tls(%ssl, SSL_ca_file => "$d->{dir}/ca.pem") or return undef;
	$c->greeting if $which ne 'table';
	$c->{ehlo} = $c->cmd('EHLO client.example')->{text};
	return $c;
}

sub says {
	my ($r, $code, $enh, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok(defined $r && $r->{code} == $code && ($r->{enh} // '') eq $enh, $name)
	    or diag("wanted $code $enh, got: " . ($r->{text} // 'nothing'));
}

# Listed, and the login is that user's.
sub good {
	my ($name, $which, $user, $message, %ssl) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $c = at($which, %ssl) or return fail("$name: no handshake");
	like($c->{ehlo}, qr/^250[- ]AUTH EXTERNAL\b/m, "R4422-A-a $name: listed");
	says($c->cmd("AUTH EXTERNAL $message"), 235, '2.7.0', "R4422-A-a $name: 235");
	my $from = $user =~ /@/ ? $user : "$user\@example.org";
	says($c->cmd("MAIL FROM:<$from>"), 250, '2.1.0', "$name: the grant is that of $user");
	$c->quit;
}

# The handshake succeeds, EXTERNAL is not there, the log says why.
sub bad {
	my ($name, $which, $reason, %ssl) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $n = length($d->log);
	my $c = at($which, %ssl) or return fail("$name: no handshake");
	unlike($c->{ehlo}, qr/EXTERNAL/, "R4422-A-a $name: not listed");
	says($c->cmd('AUTH EXTERNAL ='), 504, '5.5.4', "R4422-A-a $name: 504");
	says($c->cmd('MAIL FROM:<ann@example.org>'), 530, '5.7.0', "$name: nobody is logged in");
	$c->quit;
	ok(wait_for { substr($d->log, $n) =~ /event=client-certificate result=refused .*reason="[^"\n]*\Q$reason\E/ },
	    "$name: the log says: $reason") or diag(substr($d->log, $n)) if $reason;
}

sub asks {
	my ($p, @more) = @_;
	return `openssl s_client -connect 127.0.0.1:$p -msg @more </dev/null 2>&1` =~ /CertificateRequest/;
}

subtest 'who is asked' => sub {
	ok(asks($port{mail}, $_), "R8314-4.2-a a certificate is asked for where one counts ($_)") for qw(-tls1_2 -tls1_3);
	ok(!asks($d->{port_tls}, $_), "R8314-4.2-a and nowhere else ($_)") for qw(-tls1_2 -tls1_3);
	like(`openssl s_client -connect 127.0.0.1:$port{mail} </dev/null 2>&1`, qr/Acceptable client certificate CA names\n\s*CN = Client CA/,
	    'clients are told whose certificates count');
	for my $v (qw(TLSv1_2 TLSv1_3)) {
		my $c = at('mail', SSL_version => $v);
		like($c->{ehlo}, qr/^250-AUTH PLAIN\r$/m, "R8314-4.2-a none shown: the handshake completes, EXTERNAL is not listed ($v)");
		says($c->cmd('AUTH EXTERNAL ='), 504, '5.5.4', 'R4422-A-a and is not taken');
		$c->quit;
	}
	my $c = $d->client(tls => 'tls', ssl => { %ann });
	unlike($c->cmd('EHLO x')->{text}, qr/EXTERNAL/, 'off by default');
	says($c->cmd('AUTH EXTERNAL ='), 504, '5.5.4', 'off by default');
	$c->quit;
};

subtest 'a session that comes again' => sub {
	my @cert = ('-cert', "$ca->{dir}/ann.pem", '-key', "$ca->{dir}/ann.key");
	my $out = `openssl s_client -connect 127.0.0.1:$port{mail} -tls1_2 -reconnect @cert </dev/null 2>&1`;
	my $n = () = $out =~ /^(New|Reused), TLSv1\.2/mg;
	is($n, 6, 'six handshakes with TLS 1.2 succeed') or diag($out);
	unlike($out, qr/^Reused/m, 'and none is resumed: each shows its certificate');
};

subtest 'good certificates' => sub {
	for my $v (qw(TLSv1_2 TLSv1_3)) {
		good("by address, $v", 'mail', 'ann@example.org', $_, %ann, SSL_version => $v)
		    for '=', encode_base64('ann@example.org', ''), encode_base64('ann@EXAMPLE.org', '');
	}
	good('by table and subject', 'table', 'printer', '=', %bare);
	good('by table and address', 'table', 'robert', '=', %bob);
	good('by name', 'name', 'gone', '=', %gone);
	good('by name, with the account of PAM', 'pam', $u->{name}, '=', %account);
	my $c = at('mail', %ann);
	is($c->cmd('AUTH EXTERNAL')->{code}, 334, 'without an initial response');
	says($c->cmd(''), 235, '2.7.0', 'R4422-A-a an empty line');
	says($c->cmd('AUTH EXTERNAL ='), 503, '5.5.1', 'once');
	$c->quit;
	$c = at('table', %bare);
	unlike($c->{before}, qr/EXTERNAL/, 'R4422-A-a not before TLS');
	$c->quit;
	$c = at('mail', %ann);
	says($c->cmd('AUTH EXTERNAL ' . encode_base64('bob@example.org', '')), 535, '5.7.8', 'R4422-A-a a different authzid');
	says($c->cmd('AUTH EXTERNAL ' . encode_base64("\0ann\@example.org\0x", '')), 535, '5.7.8', 'a message of PLAIN');
	says($c->cmd('AUTH EXTERNAL !'), 501, '5.5.2', 'no base64');
	says($c->cmd('AUTH EXTERNAL ='), 235, '2.7.0', 'R4422-A-a and then the right one');
	says($c->cmd('MAIL FROM:<bob@example.org>'), 550, '5.7.1', 'P3 not as somebody else');
	$c->quit;
	ok($d->log_wait(qr/event=auth-ok .*mech=EXTERNAL/), 'the log says how');
};

subtest 'the grant is marked: match may leave it out' => sub {
	$d->{match} = "match from auth except { external } sender own relay \"box\"\n";
	$d->write_conf;
	$d->reload;
	ok(wait_for { my $c = at('mail', %ann); $c->cmd('AUTH EXTERNAL ='); my $r = $c->cmd('MAIL FROM:<ann@example.org>');
	    $c->quit; $r->{code} == 550 }, 'P2 a rule that is not for what a front-end saw');
	delete $d->{match};
	$d->write_conf;
	$d->reload;
	ok(wait_for { my $c = at('mail', %ann); $c->cmd('AUTH EXTERNAL ='); my $r = $c->cmd('MAIL FROM:<ann@example.org>');
	    $c->quit; $r->{code} == 250 }, 'and one that is');
};

subtest 'certificates that are not good' => sub {
	for my $v (qw(TLSv1_2 TLSv1_3)) {
		bad("expired, $v", 'mail', 'has expired', %old, SSL_version => $v);
		bad("of another authority of the same name, $v", 'mail', 'by an unknown authority', %forged, SSL_version => $v);
	}
	bad('not yet valid', 'mail', 'not valid yet', %young);
	bad('revoked', 'mail', 'was revoked', %gone);
	bad('of a server', 'mail', 'not for clients', %server);
	bad('two addresses', 'mail', 'does not hold one address', %two);
	bad('no address', 'mail', 'does not hold one address', %bare);
	bad('another realm', 'mail', 'another realm', %elsewhere);
	bad('not in the table', 'table', "no user's in the table", %ann);
	bad('signed by itself', 'mail', 'unknown authority',
	    SSL_use_cert => 1, SSL_cert_file => "$d->{dir}/ca.pem", SSL_key_file => "$d->{dir}/ca.key");
	my $c = at('pam', %nobody);
	says($c->cmd('AUTH EXTERNAL ='), 525, '5.7.13', 'no account of PAM');
	$c->quit;
};

subtest 'revocation' => sub {
	my $c = at('mail', %bob);
	like($c->{ehlo}, qr/EXTERNAL/, 'a session before the revocation');
	$ca->revoke('bob');
	$ca->crl;
	$d->reload;
	ok(wait_for { my $x = at('mail', %bob); my $e = $x->{ehlo}; $x->quit; $e !~ /EXTERNAL/ }, 'a reload brings the new list');
	says($c->cmd('AUTH EXTERNAL ='), 535, '5.7.8', 'and it holds for sessions from before');
	$c->quit;
	ok($d->log_wait(qr/event=auth-failed .*mech=EXTERNAL.*reason="the certificate was revoked"/), 'the log says so');
	good('another one', 'mail', 'ann@example.org', '=', %ann);
	$ca->crl(-60);
	$d->reload;
	ok(wait_for { my $x = at('mail', %ann); my $e = $x->{ehlo}; $x->quit; $e !~ /EXTERNAL/ },
	    'a list that is out of date: nobody comes in by certificate');
	bad('an old list', 'mail', 'revocation list has expired', %ann);
	$ca->crl;
	$d->reload;
	ok(wait_for { my $x = at('mail', %ann); my $e = $x->{ehlo}; $x->quit; $e =~ /EXTERNAL/ }, 'a new list');
	for my $b (["$ca->{dir}/crl.pem", '', qr/crl\.pem: no revocation list in it/],
	    ["$ca->{dir}/ca.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", qr/ca\.pem: (malformed|no certificate)/]) {
		my $was = slurp($b->[0]);
		spew($b->[0], $b->[1], 0644);
		my $n = length($d->log);
		$d->reload;
		ok(wait_for { substr($d->log, $n) =~ $b->[2] }, "a bad file is refused with its reason: $b->[2]") or diag(substr($d->log, $n));
		spew($b->[0], $was, 0644);
	}
	good('and changes nothing', 'mail', 'ann@example.org', '=', %ann);
};

subtest 'auth is started again under a session' => sub {
	my $c = at('mail', %ann);
	my ($old) = $d->child_named('msad-auth');
	kill('KILL', $old->{pid});
	my $ok = wait_for { my $x = at('mail', %ann); my $e = $x ? $x->{ehlo} : ''; $x->quit if $x; $e =~ /EXTERNAL/ };
	ok($ok, 'certificates count again');
	says($c->cmd('AUTH EXTERNAL ='), 235, '2.7.0', 'also of sessions from before');
	$c->quit;
};

$d->done;
done_testing;
