; test check

// Factor and term are f32, whatever they are made of.
graph bf16_batch_norm_in_pieces {
  %x = input : bf16[1, 6, 5, 7]
  %w = weight : bf16[10, 6, 3, 3]
  %g = weight : bf16[10]
  %b = weight : bf16[10]
  %m = weight : bf16[10]
  %v = weight : bf16[10]
  %c = conv2d %x, %w { stride = 1, padding = 1, dilation = 1, groups = 1 }
  %h = cast %c { to = bf16 }
  %ms = reshape %m { shape = [10, 1, 1] }
  %vs = reshape %v { shape = [10, 1, 1] }
  %gs = reshape %g { shape = [10, 1, 1] }
  %bs = reshape %b { shape = [10, 1, 1] }
  %d = sub %h, %ms
  %p = add %vs, 1e-5
  %r = sqrt %p
  %n = div %d, %r
  %f = mul %n, %gs
  %y = add %f, %bs
  return %y
}

; expect check
;   %y within 1e-5 of the reference
