; test optimize target=x86-64-v4
; test check

// Tokens with their neighbours, zeros beyond the border, projected without a bias: each token is projected once.
graph unfolded_rows {
  %x = input : f32[7, 8]
  %w = weight : f32[8, 6]
  %padded = pad %x { axis = 0, low = 1, high = 1, value = 0.0 }
  %l = slice %padded { axis = 0, start = 0, stop = 7, step = 1 }
  %r = slice %padded { axis = 0, start = 2, stop = 9, step = 1 }
  %l3 = reshape %l { shape = [1, 7, 8] }
  %r3 = reshape %r { shape = [1, 7, 8] }
  %e = expand %l3 { shape = [3, 7, 8] }
  %k = matmul %e, %w
  %n = matmul %r3, %w
  %y = add %k, %n
  return %y
}

; expect optimize target=x86-64-v4
;   ; %y: 14 e-nodes, 4 iterations, saturated; repeated-rows-through-weights
;   graph unfolded_rows {
;     %x = input : f32[7, 8]
;     %w = weight : f32[8, 6]
;     %2 = matmul %x, %w : f32[7, 6]
;     %k = view %2 { map = "[3, 7, 6] of 42: (-1 + i1) in 6 * 6 + i2 else 0.0" } : f32[3, 7, 6]
;     %r3 = view %x { map = "[1, 7, 8] of 56: (i1) in 6 * 8 + 8 + i2 else 0.0" } : f32[1, 7, 8]
;     %n = matmul %r3, %w : f32[1, 7, 6]
;     %6 = view %n { map = "[3, 7, 6] of 42: 6*i1 + i2" } : f32[3, 7, 6]
;     %y = add %k, %6 : f32[3, 7, 6]
;     return %y
;   }

; expect check
;   %y within 1e-5 of the reference
