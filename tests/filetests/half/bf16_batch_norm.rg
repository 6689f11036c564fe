; test check

// The factor reaches the weights of the convolution, the term goes through the second.
graph bf16_batch_norm {
  %x = input : bf16[1, 6, 5, 7]
  %w = weight : bf16[10, 6, 3, 3]
  %c = conv2d %x, %w { stride = 1, padding = 1, dilation = 1, groups = 1 }
  %h = cast %c { to = bf16 }
  %g = weight : bf16[10]
  %b = weight : bf16[10]
  %m = weight : bf16[10]
  %v = weight : bf16[10]
  %n = batch_norm %h, %g, %b, %m, %v { eps = 1e-5, axis = -3 }
  %w2 = weight : bf16[4, 10, 1, 1]
  %y = conv2d %n, %w2 { stride = 1, padding = 0, dilation = 1, groups = 1 }
  return %y
}

; expect check
;   %y within 1e-5 of the reference
