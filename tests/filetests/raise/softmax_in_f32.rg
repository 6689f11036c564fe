; test raise sites=1
; test check

// Scores cast up for the softmax and down again.
graph softmax_in_f32 {
  %q = input : f16[2, 2, 6, 4]
  %k = input : f16[2, 2, 6, 4]
  %v = input : f16[2, 2, 6, 4]
  %kt = transpose %k { order = [-1, -2] }
  %s = matmul %q, %kt
  %scaled = mul %s, 0.5
  %up = cast %scaled { to = f32 }
  %w = softmax %up { axis = -1 }
  %down = cast %w { to = f16 }
  %y = matmul %down, %v
  return %y
}

; expect raise sites=1
;   1 of 1 sites are kernels; 0 apart from their scores, 0 exponentials elsewhere

; expect check
;   %y within 1e-5 of the reference
