; test raise sites=2
; test check

// Self-attention, then cross-attention on its result.
graph two_sites_one_input {
  %x = input : f32[2, 6, 4]
  %memory = input : f32[2, 5, 4]
  %xt = transpose %x { order = [-1, -2] }
  %s = matmul %x, %xt
  %scaled = mul %s, 0.5
  %w = softmax %scaled { axis = -1 }
  %a = matmul %w, %x
  %h = add %x, %a
  %mt = transpose %memory { order = [-1, -2] }
  %s2 = matmul %h, %mt
  %scaled2 = mul %s2, 0.5
  %w2 = softmax %scaled2 { axis = -1 }
  %b = matmul %w2, %memory
  %y = add %h, %b
  return %y
}

; expect raise sites=2
;   2 of 2 sites are kernels; 0 apart from their scores, 0 exponentials elsewhere

; expect check
;   %y within 1e-5 of the reference
