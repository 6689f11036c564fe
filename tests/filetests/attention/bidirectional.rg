; test roundtrip
; test eval
; test optimize target=x86-64-v4
; test plan target=x86-64-v4
; test check

// Bidirectional attention as its authors write it: both directions from the same scores, mixed by one scalar.
graph bidirectional {
  %x = input : f32[2, 9, 12]
  %wq = weight : f32[12, 12]
  %wk = weight : f32[12, 12]
  %wv = weight : f32[12, 12]
  %wl = weight : f32[12, 12]
  %wc = weight : f32[12, 12]
  %g = weight : f32[16, 4]
  %b = weight : f32[4, 4]
  %bias = weight : f32[3, 9, 9]
  %lambda = weight : f32[]
  %xq = matmul %x, %wq
  %hq = reshape %xq { shape = [2, 9, 3, 4] }
  %q = transpose %hq { order = [-2, -3, -1] }
  %xk = matmul %x, %wk
  %hk = reshape %xk { shape = [2, 9, 3, 4] }
  %k = transpose %hk { order = [-2, -3, -1] }
  %xv = matmul %x, %wv
  %hv = reshape %xv { shape = [2, 9, 3, 4] }
  %v = transpose %hv { order = [-2, -3, -1] }
  %xl = matmul %x, %wl
  %al = gelu %xl
  %hl = reshape %al { shape = [2, 9, 3, 4] }
  %l = transpose %hl { order = [-2, -3, -1] }
  %xc = matmul %x, %wc
  %ac = gelu %xc
  %hc = reshape %ac { shape = [2, 9, 3, 4] }
  %c = transpose %hc { order = [-2, -3, -1] }
  %sa = attention %q, %k, %v, %bias { scale = 0.5 }
  %isa = inverse_attention %q, %k, %l, %c, %g, %b, %bias { scale = 0.5 }
  %mixed = mix %sa, %isa, %lambda
  %tokens = transpose %mixed { order = [-2, -3, -1] }
  %y = reshape %tokens { shape = [2, 9, 12] }
  return %y
}

; expect roundtrip
;   graph bidirectional {
;     %x = input : f32[2, 9, 12]
;     %wq = weight : f32[12, 12]
;     %wk = weight : f32[12, 12]
;     %wv = weight : f32[12, 12]
;     %wl = weight : f32[12, 12]
;     %wc = weight : f32[12, 12]
;     %g = weight : f32[16, 4]
;     %b = weight : f32[4, 4]
;     %bias = weight : f32[3, 9, 9]
;     %lambda = weight : f32[]
;     %xq = matmul %x, %wq : f32[2, 9, 12]
;     %hq = reshape %xq { shape = [2, 9, 3, 4] } : f32[2, 9, 3, 4]
;     %q = transpose %hq { order = [-2, -3, -1] } : f32[2, 3, 9, 4]
;     %xk = matmul %x, %wk : f32[2, 9, 12]
;     %hk = reshape %xk { shape = [2, 9, 3, 4] } : f32[2, 9, 3, 4]
;     %k = transpose %hk { order = [-2, -3, -1] } : f32[2, 3, 9, 4]
;     %xv = matmul %x, %wv : f32[2, 9, 12]
;     %hv = reshape %xv { shape = [2, 9, 3, 4] } : f32[2, 9, 3, 4]
;     %v = transpose %hv { order = [-2, -3, -1] } : f32[2, 3, 9, 4]
;     %xl = matmul %x, %wl : f32[2, 9, 12]
;     %al = gelu %xl : f32[2, 9, 12]
;     %hl = reshape %al { shape = [2, 9, 3, 4] } : f32[2, 9, 3, 4]
;     %l = transpose %hl { order = [-2, -3, -1] } : f32[2, 3, 9, 4]
;     %xc = matmul %x, %wc : f32[2, 9, 12]
;     %ac = gelu %xc : f32[2, 9, 12]
;     %hc = reshape %ac { shape = [2, 9, 3, 4] } : f32[2, 9, 3, 4]
;     %c = transpose %hc { order = [-2, -3, -1] } : f32[2, 3, 9, 4]
;     %sa = attention %q, %k, %v, %bias { scale = 0.5 } : f32[2, 3, 9, 4]
;     %isa = inverse_attention %q, %k, %l, %c, %g, %b, %bias { scale = 0.5 } : f32[2, 3, 9, 4]
;     %mixed = mix %sa, %isa, %lambda : f32[2, 3, 9, 4]
;     %tokens = transpose %mixed { order = [-2, -3, -1] } : f32[2, 9, 3, 4]
;     %y = reshape %tokens { shape = [2, 9, 12] } : f32[2, 9, 12]
;     return %y
;   }

; expect eval
;   61670 flops
;   %y : f32[2, 9, 12] = 0.07892 0.21483 0.11218 -0.22191 2.89289 -0.75726 … norm 12.56323

; expect optimize target=x86-64-v4
;   ; %y: 121 terms after 7 rounds, saturated; factor-through-view ×4, factor-into-values ×2, factor-after-weights ×3, factor-into-sum, generated-matrices, view-of-view ×2, weights-before-inverse
;   graph bidirectional {
;     %x = input : f32[2, 9, 12]
;     %wq = weight : f32[12, 12]
;     %wk = weight : f32[12, 12]
;     %wv = weight : f32[12, 12]
;     %wl = weight : f32[12, 12]
;     %wc = weight : f32[12, 12]
;     %g = weight : f32[16, 4]
;     %b = weight : f32[4, 4]
;     %bias = weight : f32[3, 9, 9]
;     %lambda = weight : f32[]
;     %10 = const { value = 0.5 } : f32[2, 3, 9, 9]
;     %11 = view %bias { map = "[2, 3, 9, 9] of 243: 81*i1 + 9*i2 + i3" } : f32[2, 3, 9, 9]
;     %12 = view %b { map = "[4, 4] of 16: 4*i1 + i0" } : f32[4, 4]
;     %13 = sigmoid %lambda : f32[]
;     %14 = const { value = 1.0 } : f32[]
;     %15 = sub %14, %13 : f32[]
;     %xq = matmul %x, %wq : f32[2, 9, 12]
;     %q = view %xq { map = "[2, 3, 9, 4] of 216: 108*i0 + 12*i2 + 4*i1 + i3" } : f32[2, 3, 9, 4]
;     %xk = matmul %x, %wk : f32[2, 9, 12]
;     %k = view %xk { map = "[2, 3, 9, 4] of 216: 108*i0 + 12*i2 + 4*i1 + i3" } : f32[2, 3, 9, 4]
;     %20 = scores %q, %k : f32[2, 3, 9, 9]
;     %21 = mul %20, %10 : f32[2, 3, 9, 9]
;     %22 = add %21, %11 : f32[2, 3, 9, 9]
;     %23 = view %13 { map = "[12, 12] of 1: 0" } : f32[12, 12]
;     %24 = mul %wv, %23 : f32[12, 12]
;     %25 = matmul %x, %24 : f32[2, 9, 12]
;     %26 = view %25 { map = "[2, 3, 9, 4] of 216: 108*i0 + 12*i2 + 4*i1 + i3" } : f32[2, 3, 9, 4]
;     %27 = attend %22, %26 { axis = -1 } : f32[2, 3, 9, 4]
;     %28 = view %27 { map = "[2, 9, 12] of 216: 108*i0 + 36*i2/4 + 4*i1 + i2%4" } : f32[2, 9, 12]
;     %xl = matmul %x, %wl : f32[2, 9, 12]
;     %30 = view %xl { map = "[2, 3, 9, 1, 4] of 216: 108*i0 + 12*i2 + 4*i1 + i4" } : f32[2, 3, 9, 1, 4]
;     %31 = gelu %30 : f32[2, 3, 9, 1, 4]
;     %32 = view %31 { map = "[2, 3, 9, 16] of 216: 108*i0 + 36*i1 + 4*i2 + i3/4" } : f32[2, 3, 9, 16]
;     %xc = matmul %x, %wc : f32[2, 9, 12]
;     %34 = view %xc { map = "[2, 3, 9, 4] of 216: 108*i0 + 12*i2 + 4*i1 + i3" } : f32[2, 3, 9, 4]
;     %c = gelu %34 : f32[2, 3, 9, 4]
;     %36 = view %c { map = "[2, 3, 9, 16] of 216: 108*i0 + 36*i1 + 4*i2 + i3%4" } : f32[2, 3, 9, 16]
;     %37 = mul %32, %36 : f32[2, 3, 9, 16]
;     %38 = view %g { map = "[16, 4] of 64: 16*i0/4 + 4*i1 + i0%4" } : f32[16, 4]
;     %39 = view %15 { map = "[16, 4] of 1: 0" } : f32[16, 4]
;     %40 = mul %38, %39 : f32[16, 4]
;     %41 = matmul %37, %40 : f32[2, 3, 9, 4]
;     %42 = view %41 { map = "[2, 9, 12] of 216: 108*i0 + 36*i2/4 + 4*i1 + i2%4" } : f32[2, 9, 12]
;     %43 = view %15 { map = "[4, 4] of 1: 0" } : f32[4, 4]
;     %44 = mul %12, %43 : f32[4, 4]
;     %45 = matmul %c, %44 : f32[2, 3, 9, 4]
;     %46 = attend %22, %45 { axis = -2 } : f32[2, 3, 9, 4]
;     %47 = view %46 { map = "[2, 9, 12] of 216: 108*i0 + 36*i2/4 + 4*i1 + i2%4" } : f32[2, 9, 12]
;     %48 = add %42, %47 : f32[2, 9, 12]
;     %y = add %28, %48 : f32[2, 9, 12]
;     return %y
;   }

; expect plan target=x86-64-v4
;   plan bidirectional {
;     %xq = product [1, 18, 12] by [12, 12], constant %wq reading %x
;     %xk = product [1, 18, 12] by [12, 12], constant %wk reading %x
;     %25 = product [1, 18, 12] by [12, 12], constant %24 reading %x
;     %xl = product [1, 18, 12] by [12, 12], constant %wl reading %x
;     %31 = row [1, 216] reading %xl
;     %xc = product [1, 18, 12] by [12, 12], constant %wc reading %x
;     %c = row [1, 216] reading %xc
;     %42 = product [1, 54, 16] by [16, 4], constant %40 reading %31, %c
;     %45 = product [1, 54, 4] by [4, 4], constant %44 reading %c
;     %y = bidirectional [6, 9, 9] over 4 values reading %bias, %25, %45, %42, %xq, %xk
;   }

; expect check
;   %y within 1e-5 of the reference
