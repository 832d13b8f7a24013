# OAUTHBEARER and XOAUTH2: tokens right, wrong, expired, of others, truncated,
# replayed, mixed with other mechanisms; key files good and bad.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use JSON::PP;
use MIME::Base64;
use Msad;
use Msad::Jwt;
use Test::More;
use Time::HiRes qw(time);

my $port = free_port();
my $scoped_port = free_port();
my $pam_port = free_port();
my $d = Msad->new(start => 0);
my %key = map { $_ => jwt_key($d->{dir}, $_, lc($_)) } qw(RS256 ES256 EdDSA);
my $other = jwt_key($d->{dir}, 'RS256', 'other');
my $fresh = jwt_key($d->{dir}, 'ES256', 'fresh');
my $jwks = "$d->{dir}/keys.json";
spew($jwks, jwt_set(values %key), 0644);
my $rules = <<"CONF";
keys file:"$jwks"
		issuer "https://id.example.org/"
		audience "msad"
CONF
my $u = $d->account(0);
$d->{extra} = <<"CONF";
limit login { address 0, network 0, user 0, user-address 0, delay 0s }
auth "id" {
	passwd file:"$d->{dir}/passwd"
	oauth {
		$rules
		host "smtp.example.org" port "587"
	}
	mech { plain oauthbearer xoauth2 }
	realm "example.org"
}
auth "scoped" {
	oauth {
		$rules
		scope "mail.send"
		claim "preferred_username"
		login local-part
		openid-configuration "https://id.example.org/.well-known/openid-configuration"
	}
	realm "example.org"
}
auth "both" {
	pam service "$d->{service}"
	oauth { $rules claim "sub" }
	mech { plain, oauthbearer }
	realm "example.org"
}
listen on 127.0.0.1 port $port tls pki "main" auth "id"
listen on 127.0.0.1 port $scoped_port tls pki "main" auth "scoped"
listen on 127.0.0.1 port $pam_port tls pki "main" auth "both"
CONF
spew("$d->{dir}/passwd", '', 0600);
$d->write_conf;
$d->start;

sub at {
	my ($p) = @_;
	my $c = Msad::Smtp->connect($p, $Msad::DEADLINE) or return undef;
	$c->start_tls(SSL_ca_file => "$d->{dir}/ca.pem") or return undef;
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

sub claims {
	my (%o) = @_;
	my %c = (iss => 'https://id.example.org/', aud => 'msad',
	    sub => '1234', email => 'ann@example.org', exp => time() + 300,
	    iat => time() - 5, %o);
	$c{$_} = int($c{$_}) for grep { defined $c{$_} && !ref $c{$_} && $c{$_} =~ /^[\d.]+$/ && $_ ne 'sub' } keys %c;
	delete $c{$_} for grep { !defined $c{$_} } keys %c;
	return \%c;
}

sub auth {
	my ($c, $mech, $message) = @_;
	return $c->cmd("AUTH $mech " . encode_base64($message, ''));
}

# The mechanism's answer to a token that is not good: 334, then 535 whatever
# the client says. Returns the JSON.
sub refused {
	my ($name, $message, %o) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $c = at($o{port} // $port);
	my $r = auth($c, $o{mech} // 'OAUTHBEARER', $message);
	is($r->{code}, 334, "R7628-3.2.2-a $name: 334") or diag($r->{text});
	my $json = eval { decode_json(decode_base64(($r->{text} // '') =~ s/^334 //r)) };
	ok(ref $json eq 'HASH' && $json->{status}, "R7628-3.2.2-a $name: JSON with status");
	says($c->cmd($o{then} // 'AQ=='), 535, '5.7.8', "R7628-3.2.2-a $name: 535");
	says($c->cmd('MAIL FROM:<ann@example.org>'), 530, '5.7.0', "$name: nobody is logged in");
	$c->quit;
	if ($o{reason}) {
		ok($d->log_wait(qr/event=auth-failed .*reason="[^"\n]*\Q$o{reason}\E/),
		    "$name: the log says: $o{reason}");
	}
	return $json;
}

subtest 'what is offered' => sub {
	my $c = at($port);
	like($c->{ehlo}, qr/^250-AUTH OAUTHBEARER XOAUTH2 PLAIN\r$/m, 'R7628-3.1-a listed under TLS');
	$c->quit;
	$c = at($scoped_port);
	like($c->{ehlo}, qr/^250-AUTH OAUTHBEARER XOAUTH2\r$/m, 'tokens alone: no PLAIN');
	$c->quit;
	$c = $d->client;
	says($c->cmd('AUTH OAUTHBEARER'), 504, '5.5.4', 'R7628-3.1-a not where the block has no keys');
	$c->quit;
};

subtest 'good tokens' => sub {
	for my $alg (sort keys %key) {
		my $t = jwt($key{$alg}, claims());
		for my $m (jwt_oauthbearer($t), jwt_oauthbearer($t, user => 'ann@example.org'),
		    jwt_oauthbearer($t, user => 'ann@EXAMPLE.org', host => 'mail.example.org', port => $port),
		    jwt_oauthbearer($t, host => 'SMTP.example.org', port => 587, x => 'what ever'),
		    jwt_oauthbearer($t, scheme => 'bEARER'), jwt_oauthbearer($t, gs2 => 'y,,')) {
			my $c = at($port);
			says(auth($c, 'OAUTHBEARER', $m), 235, '2.7.0', "R7628-3.1-a $alg " . ($m =~ s/\x01.*//sr));
			says($c->cmd('MAIL FROM:<ann@example.org>'), 250, '2.1.0', 'the grant is that of the user');
			says($c->cmd('RCPT TO:<x@y.example>'), 250, '2.1.5', 'and may send');
			$c->quit;
		}
		my $c = at($port);
		says(auth($c, 'XOAUTH2', jwt_xoauth2($t, 'ann@example.org')), 235, '2.7.0', "P-xoauth2-1 $alg");
		says($c->cmd('MAIL FROM:<bob@example.org>'), 550, '5.7.1', 'P3 not as somebody else');
		$c->quit;
		$c = at($port);
		is($c->cmd('AUTH OAUTHBEARER')->{code}, 334, 'without an initial response');
		says($c->cmd(encode_base64(jwt_oauthbearer($t), '')), 235, '2.7.0', 'R7628-3.1-a and then the message');
		$c->quit;
	}
	for my $o ([aud => ['else', 'msad']], [nbf => time() + 30], [exp => time() - 30],
	    [email_verified => JSON::PP::true]) {
		my $c = at($port);
		says(auth($c, 'OAUTHBEARER', jwt_oauthbearer(jwt($key{ES256}, claims(@$o)))), 235, '2.7.0',
		    "good with $o->[0]");
		$c->quit;
	}
	my $c = at($port);
	my $t = jwt($key{ES256}, claims(), header => { kid => undef, typ => undef });
	says(auth($c, 'OAUTHBEARER', jwt_oauthbearer($t)), 235, '2.7.0', 'by the only key of its algorithm');
	says(auth($c, 'OAUTHBEARER', jwt_oauthbearer($t)), 503, '5.5.1', 'R4954-4-a once');
	$c->quit;
};

subtest 'tokens that are not good' => sub {
	my $ec = $key{ES256};
	my $good = jwt($ec, claims());
	my ($h, $p, $s) = split(/\./, $good);
	my $flip = sub { my $x = $_[0]; substr($x, 10, 1) = substr($x, 10, 1) eq 'A' ? 'B' : 'A'; $x };
	my $hmac = sub { my ($data) = @_; require Digest::SHA; Digest::SHA::hmac_sha256($data, $key{RS256}{der}) };
	my @bad = (
	    ['expired', jwt($ec, claims(exp => time() - 3600)), 'has expired'],
	    ['without an end', jwt($ec, claims(exp => undef)), 'never expires'],
	    ['not yet valid', jwt($ec, claims(nbf => time() + 600)), 'not valid yet'],
	    ['from the future', jwt($ec, claims(iat => time() + 600)), 'in the future'],
	    ['another issuer', jwt($ec, claims(iss => 'https://id.example.com/')), 'another issuer'],
	    ['another audience', jwt($ec, claims(aud => 'msad2')), 'another audience'],
	    ['no audience', jwt($ec, claims(aud => undef)), 'another audience'],
	    ['another realm', jwt($ec, claims(email => 'ann@example.com')), 'another realm'],
	    ['no user', jwt($ec, claims(email => undef)), 'names no user'],
	    ['address not verified', jwt($ec, claims(email_verified => JSON::PP::false)), 'not verified'],
	    ['unknown key', jwt($other, claims()), 'key that is not known'],
	    ['another key under that name', jwt($other, claims(), header => { kid => 'rs256' }), 'signature is wrong'],
	    ['alg none', jwt($ec, claims(), header => { alg => 'none' }, sign => sub { '' }), 'malformed'],
	    ['alg none with a signature', jwt($ec, claims(), header => { alg => 'none' }), 'not one of RS256'],
	    ['HMAC with the public key', jwt($key{RS256}, claims(), header => { alg => 'HS256' }, sign => $hmac), 'not one of RS256'],
	    ['alg of another key', jwt($ec, claims(), header => { alg => 'RS256' }), 'key that is not known'],
	    ['EdDSA name over an EC key', jwt($ec, claims(), header => { alg => 'EdDSA', kid => 'es256' }), 'key that is not known'],
	    ['crit', jwt($ec, claims(), header => { crit => ['x'], x => 1 }), 'not known'],
	    ['an id of something else', jwt($ec, claims(), header => { typ => 'logout+jwt' }), 'something else'],
	    ['claims changed', "$h." . jwt_encode(encode_json(claims(email => 'root@example.org'))) . ".$s", 'signature is wrong'],
	    ['signature changed', "$h.$p." . $flip->($s), 'signature is wrong'],
	    ['no signature', "$h.$p.", 'malformed'],
	    ['two parts', "$h.$p", 'malformed'],
	    ['four parts', "$good.x", 'malformed'],
	    ['truncated', substr($good, 0, -20), 'wrong'],
	    ['no base64url', "$h=.$p.$s", 'malformed'],
	    ['a JSON bomb for a header (X-auth-1)', jwt($ec, {}, raw_header => '[' x 5000), 'malformed'],
	    ['a deep object in signed claims', jwt($ec, {}, raw_claims => '{"a":' x 200 . '1' . '}' x 200), 'malformed'],
	    ['claims twice', jwt($ec, {}, raw_claims => encode_json(claims()) =~ s/\}$/,"email":"root\@example.org"}/r), 'malformed'],
	    ['garbage', 'a.b.c', 'malformed'],
	);
	for my $b (@bad) {
		my $began = time;
		refused($b->[0], jwt_oauthbearer($b->[1]), reason => $b->[2]);
		cmp_ok(time - $began, '<', 5, "X-auth-1 $b->[0]: in time");
	}
	refused('authzid of another', jwt_oauthbearer($good, user => 'bob@example.org'), reason => 'of another user');
	refused('R7628-3.2-a another host', jwt_oauthbearer($good, host => 'evil.example'), reason => 'another host');
	refused('R7628-3.2-a another port', jwt_oauthbearer($good, port => 1), reason => 'another port');
	refused('any answer', jwt_oauthbearer($bad[0][1]), then => encode_base64('user', ''));
	refused('an empty answer', jwt_oauthbearer($bad[0][1]), then => '');
	my $j = refused('P-xoauth2-1 expired', jwt_xoauth2($bad[0][1], 'ann@example.org'), mech => 'XOAUTH2', then => '');
	is($j->{status}, '401', 'P-xoauth2-1 status in its JSON');
	refused('P-xoauth2-1 another user', jwt_xoauth2($good, 'bob@example.org'), mech => 'XOAUTH2', then => '');
	my $c = at($port);
	is(auth($c, 'OAUTHBEARER', jwt_oauthbearer($bad[0][1]))->{code}, 334, 'a failure');
	my $n = () = $d->log =~ /event=auth-failed/g;
	says($c->cmd('*'), 501, '5.7.0', 'R7628-3.2.2-a cancelled with *');
	ok(wait_for { (() = $d->log =~ /event=auth-failed/g) > $n }, 'and counted for all that');
	says(auth($c, 'OAUTHBEARER', jwt_oauthbearer($good)), 235, '2.7.0', 'the next token is taken');
	$c->quit;
};

subtest 'messages that are none' => sub {
	my $t = jwt($key{ES256}, claims());
	my $m = jwt_oauthbearer($t);
	for my $b (['a lone separator', "\1"], ['no auth', "n,,\1host=x\1\1"], ['no end', substr($m, 0, -1)],
	    ['no gs2 header', substr($m, 3)], ['channel binding', "p=tls-exporter,,\1auth=Bearer $t\1\1"],
	    ['auth twice', "n,,\1auth=Bearer $t\1auth=Bearer $t\1\1"], ['more behind the end', "${m}x"],
	    ['another scheme', "n,,\1auth=Basic $t\1\1"], ['a NUL', "n,,\1auth=Bearer \0$t\1\1"],
	    ['truncated', substr($m, 0, 40)], ['all octets', join('', map { chr } 0 .. 255)],
	    ['of XOAUTH2', jwt_xoauth2($t, 'ann@example.org')], ['of PLAIN', "\0ann\0pw"]) {
		my $c = at($port);
		says(auth($c, 'OAUTHBEARER', $b->[1]), 535, '5.7.8', "R7628-3.1-b $b->[0]");
		$c->quit;
	}
	for my $b (['of OAUTHBEARER', $m], ['no user', "auth=Bearer $t\1\1"], ['an empty user', jwt_xoauth2($t, '')]) {
		my $c = at($port);
		says(auth($c, 'XOAUTH2', $b->[1]), 535, '5.7.8', "P-xoauth2-1 $b->[0]");
		$c->quit;
	}
	my $c = at($port);
	says(auth($c, 'PLAIN', $m), 535, '5.7.8', 'the message under another name');
	says(auth($c, 'OAUTHBEARER', $m), 235, '2.7.0', 'mixed exchanges do not mix');
	$c->quit;
	$c = at($port);
	says($c->cmd('AUTH OAUTHBEARER ' . 'A' x 9000), 535, '5.7.8', 'X-auth-1 9,000 times A');
	$c->quit;
};

subtest 'scope and names' => sub {
	my $k = $key{EdDSA};
	my %name = (preferred_username => 'ann@example.org');
	for my $s ('mail.send', 'openid mail.send email', ['openid', 'mail.send']) {
		my $c = at($scoped_port);
		says(auth($c, 'OAUTHBEARER', jwt_oauthbearer(jwt($k, claims(%name, scope => $s)))), 235, '2.7.0', 'with the scope');
		$c->quit;
	}
	ok($d->log_wait(qr/event=auth-ok user="?ann"? /), 'login local-part: the login is without its realm');
	my $j = refused('without the scope', jwt_oauthbearer(jwt($k, claims(%name, scope => 'mail.sendx'))), port => $scoped_port,
	    reason => 'lacks the scope');
	is($j->{status}, 'insufficient_scope', 'R7628-3.2.2-a its status');
	is($j->{scope}, 'mail.send', 'R7628-3.2.2-a the scope');
	is($j->{'openid-configuration'}, 'https://id.example.org/.well-known/openid-configuration', 'R7628-3.2.2-a where to go');
	refused('two at signs', jwt_oauthbearer(jwt($k, claims(preferred_username => 'root@evil@example.org', scope => 'mail.send'))),
	    port => $scoped_port);
};

subtest 'PAM has a say where the block has a service' => sub {
	my $c = at($pam_port);
	says(auth($c, 'OAUTHBEARER', jwt_oauthbearer(jwt($key{RS256}, claims(sub => $u->{name})))), 235, '2.7.0', 'an account');
	$c->quit;
	$c = at($pam_port);
	says(auth($c, 'OAUTHBEARER', jwt_oauthbearer(jwt($key{RS256}, claims(sub => 'nobody-of-that-name')))), 525, '5.7.13', 'no account: PAM says so');
	$c->quit;
};

subtest 'key files' => sub {
	my $m = jwt_oauthbearer(jwt($key{ES256}, claims()));
	my $m2 = jwt_oauthbearer(jwt($fresh, claims()));
	refused('before the reload', $m2);
	spew($jwks, jwt_set($fresh), 0644);
	my $before = at($port);
	$d->reload;
	my $c;
	ok(wait_for { $c = at($port); my $ok = auth($c, 'OAUTHBEARER', $m2)->{code} == 235; $c->quit; $ok },
	    'a reload brings the new keys');
	is(auth($before, 'OAUTHBEARER', $m)->{code}, 334, 'and takes the old ones, also from older sessions');
	$before->quit;
	my $weak = jwt_key($d->{dir}, 'RS256', 'weak', bits => 1024);
	for my $b (['{}', qr/no key set/], ['{"keys":[]}', qr/no key for/], ['{"keys":[', qr/keys\.json:1: /],
	    [jwt_set($weak), qr/key 1: an RSA key must have 2048 to 4096 bits/],
	    [jwt_set($fresh, $fresh), qr/key 2: its kid is there already/],
	    ['{"keys":[{"kty":"oct","k":"AAAA"}]}', qr/key 1: a secret/],
	    ['{"keys":[{"kty":"EC","crv":"P-256","x":"AAAA","y":"AAAA"}]}', qr/key 1: x or y of a P-256 key/],
	    ['[' x 3000, qr/nested too deep/]) {
		spew($jwks, $b->[0], 0644);
		my $n = length($d->log);
		$d->reload;
		ok(wait_for { substr($d->log, $n) =~ $b->[1] }, "a bad file is refused with its reason: $b->[1]")
		    or diag(substr($d->log, $n));
	}
	$c = at($port);
	says(auth($c, 'OAUTHBEARER', $m2), 235, '2.7.0', 'and changes nothing');
	$c->quit;
};

$d->done;

# Failures count as those of passwords do: the same token again counts once,
# since a program tries an old one before it fetches the next; and a program
# that goes away before the 535 is no exception.
subtest 'failures are counted' => sub {
	$d = Msad->new(start => 0);
	my $k = jwt_key($d->{dir}, 'ES256', 'k');
	spew("$d->{dir}/keys.json", jwt_set($k), 0644);
	$d->{extra} = <<"CONF";
limit login { user-address 4, user 0, address 0, network 0, delay 0s }
auth "id" {
	oauth { keys file:"$d->{dir}/keys.json" issuer "https://id.example.org/" audience "msad" }
	realm "example.org"
}
listen on 127.0.0.1 port $port tls pki "main" auth "id"
CONF
	$d->write_conf;
	$d->start;
	my $tries = sub {
		my ($user, $then, @tokens) = @_;
		for my $t (@tokens) {
			my $c = at($port);
			$c->{code} = auth($c, 'XOAUTH2', jwt_xoauth2($t, "$user\@example.org"))->{code};
			return $c->{code} if $c->{code} != 334;
			$c->cmd($then) if defined $then;
			$c->close;
		}
		return 334;
	};
	my $old = jwt($k, claims(exp => time() - 3600));
	is($tries->('ann', '', ($old) x 12), 334, 'an old token, twelve times');
	is($tries->('ann', '', jwt($k, claims())), 235, 'and then a good one');
	my @many = map { jwt($k, claims(exp => time() - 3600 - $_)) } 1 .. 8;
	is($tries->('bob', undef, @many), 454, 'many bad tokens, gone before the 535: refused with 454');
	is($tries->('bob', '', jwt($k, claims(email => 'bob@example.org'))), 454, 'X-auth-1 and so is any other for a while');
	$d->done;
};
done_testing;
